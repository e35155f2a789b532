"""``nnea-graph help``: the topics of the manual, or one of them."""

from __future__ import annotations

from nnea_graph.errors import UsageError
from nnea_graph.render.manual import print_document, topics
from nnea_graph.render.output_files import standard_output


def print_help(topic: str | None) -> None:
    """Prints a topic of the manual, or the list of topics.

    Raises:
        UsageError: there is no such topic.
    """
    known = topics()
    if topic is not None and topic not in known:
        raise UsageError(f"help {topic}: no such topic; choose from {', '.join(known)}")
    with standard_output() as stdout:
        if topic is not None:
            print_document(topic, stdout)
            return
        stdout.write("Topics of the manual, each printed by 'nnea-graph help TOPIC':\n\n")
        stdout.writelines(f"  {name:<13}{title}\n" for name, title in known.items())
        stdout.write("\nOptions of a command: nnea-graph COMMAND --help\n")
