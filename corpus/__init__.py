"""Reports written for this project, each with what is right for it, to measure how well reports are understood."""
