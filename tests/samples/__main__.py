"""Write the samples that are missing; see the package."""

import argparse
import sys

from domain.model import EVENTS
from tests import samples

parser = argparse.ArgumentParser(description=samples.__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--replace", nargs="*", default=[], metavar="TOPIC", choices=sorted(EVENTS))
given = parser.parse_args()
for topic, event_class in EVENTS.items():
    for path in samples.write(event_class, replace=topic in given.replace):
        sys.stdout.write(f"{path.name}\n")
