"""Mutations of the keys under which personal data lies."""

import strawberry

from api.graphql.mutations.command import key_command
from domain.key import Key


@strawberry.type
class Keys:
    """What is decided about a key."""

    destroy_key = key_command(Key, Key.destroy)
    place_hold = key_command(Key, Key.place_hold)
    lift_hold = key_command(Key, Key.lift_hold)
