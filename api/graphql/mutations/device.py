"""Mutations of devices. Whether one is online, whoever listens to it says."""

import strawberry

from api.graphql.mutations.command import command, creation
from domain.device import Device


@strawberry.type
class Devices:
    """What is done to a device. No secret of a device ever comes back: the log has none."""

    register_device = creation(Device.register)
    arm_device = command(Device, Device.arm)
    disarm_device = command(Device, Device.disarm)
    take_device_out_of_service = command(Device, Device.take_out_of_service)
    return_device_to_service = command(Device, Device.return_to_service)
    rotate_device_credential = command(Device, Device.rotate_credential)
    retire_device = command(Device, Device.retire)
