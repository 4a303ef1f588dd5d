"""How people hear: who is told what (pure), how a delivery goes on (pure), and the adapters that carry it."""
