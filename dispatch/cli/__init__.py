"""The command line: ``dispatch COMMAND``. A command's module is imported when the command is asked for."""

from typing import Final

from dispatch.cli.group import Commands, Entry, epilog

__all__ = ["TABLE", "main"]

TABLE: Final = {
    "demo": Entry("dispatch.cli.demo", "Play a day on a campus with real servers, and watch it."),
    "servers": Entry("dispatch.cli.servers", "Run Kafka and Redis in the foreground, to try things by hand."),
    "worker": Entry("dispatch.cli.worker", "Run the engine until it is told to stop."),
    "check": Entry("dispatch.cli.check", "Check the config folder: every error with its file and line."),
    "classify": Entry("dispatch.cli.classify", "Say what would become of a report, and why."),
    "train": Entry("dispatch.cli.train", "Learn triage from what people made of orders."),
    "topics": Entry("dispatch.cli.topics", "List the topics, or create what is missing."),
    "policy": Entry("dispatch.cli.policy", "Show the policy that is active, or make another one active."),
    "roster": Entry("dispatch.cli.roster", "Publish technicians and shifts from the config folder."),
    "publish": Entry("dispatch.cli.publish", "Publish requests and actions from a file of JSON lines."),
    "orders": Entry("dispatch.cli.orders", "List work orders."),
    "order": Entry("dispatch.cli.order", "Tell one work order's whole story."),
    "status": Entry("dispatch.cli.status", "Show lanes, owners, lag and late timers."),
    "deliveries": Entry("dispatch.cli.deliveries", "Tell who was told of a work order, and with what answer."),
    "hooks": Entry("dispatch.cli.hooks", "Try a hook, or ask who would be told of an event."),
    "dead-letters": Entry("dispatch.cli.letters", "List input that was refused, or send it again."),
    "rebuild": Entry("dispatch.cli.rebuild", "Make the state anew from the log, or compare the two."),
    "person": Entry("dispatch.cli.person", "Show what is known of a person."),
    "erase": Entry("dispatch.cli.erase", "Forget a person."),
}

main = Commands(
    name="dispatch",
    table=TABLE,
    help="Work orders from report to repair: requests in, decisions out, everything an event in Kafka.",
    epilog=epilog("dispatch servers\ndispatch worker\ndispatch publish requests.jsonl --wait 10"),
)
