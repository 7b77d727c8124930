"""Between TensorFlow's variables and the arrays that states and checkpoints hold."""

from collections.abc import Mapping
from typing import Any

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Arrays, State


def to_arrays(variables: Mapping[str, Any]) -> State:
    """The variables' values, copied."""
    return {name: variable.numpy().copy(order="C") for name, variable in variables.items()}


def copy_into(variables: Mapping[str, Any], arrays: Arrays) -> None:
    """Copy arrays into the variables of the same names.

    Raises:
        InputError: where names, sizes or types differ; nothing was copied then.
    """
    faults = [f"{name}: unknown" for name in arrays.keys() - variables.keys()]
    faults += [f"{name}: missing" for name in variables.keys() - arrays.keys()]
    for name in variables.keys() & arrays.keys():
        array, variable = arrays[name], variables[name]
        wanted = tuple(variable.shape), variable.dtype.as_numpy_dtype
        if (array.shape, array.dtype.type) != wanted:
            faults.append(
                f"{name}: {array.shape} {array.dtype} received, {wanted[0]} "
                f"{wanted[1].__name__} needed"
            )
    if faults:
        raise InputError(["arrays that do not belong to this model", *sorted(faults)])
    for name, variable in variables.items():
        variable.assign(arrays[name])
