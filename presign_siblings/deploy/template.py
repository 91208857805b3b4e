"""The stack's template, read as data, so that nothing repeats what it says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SHIPPED = Path(__file__).parent / "cloudformation"  # setup.py puts it into the wheel
_FOLDER = _SHIPPED if _SHIPPED.is_dir() else Path(__file__).parents[2] / "cloudformation"
TEMPLATE = _FOLDER / "presign-siblings.yaml"
_NO_VALUE = object()


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml takes a tenth of the time
    """YAML with CloudFormation's short forms."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _short_form)


@cache
def load(path: Path = TEMPLATE) -> dict[str, Any]:
    """Read the template, once, with every short form (``!Ref``) written as the long one; callers must not change it."""
    loaded: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 (a SafeLoader)
    return loaded


@dataclass(frozen=True, slots=True)
class Resolver:
    """
    Replaces intrinsic functions by values: those that need no resource's attributes.

    :param template:   What ``load`` returned.
    :param references: The value of ``Ref`` for parameters, pseudo parameters and resources.
    """

    template: Mapping[str, Any]
    references: Mapping[str, str]

    def resources(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield name and properties, still to be resolved, of each resource of a type whose condition holds."""
        for name, resource in self.template["Resources"].items():
            if resource["Type"] == kind and self._holds(resource.get("Condition")):
                yield name, resource["Properties"]

    def resolve(self, node: Any) -> Any:  # noqa: ANN401 (a template is any JSON)
        """
        Return the node with every intrinsic function replaced by its value.

        :raises KeyError: The node refers to an unknown name, or holds another function.
        """
        if isinstance(node, list):
            return [value for value in map(self.resolve, node) if value is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name in {"Ref", "Condition"} or name.startswith("Fn::"):
                return self._functions()[name](argument)
        resolved = {name: self.resolve(value) for name, value in node.items()}
        return {name: value for name, value in resolved.items() if value is not _NO_VALUE}

    def _functions(self) -> dict[str, Any]:
        return {
            "Ref": self._ref,
            "Fn::Sub": self._sub,
            "Fn::If": lambda args: self.resolve(args[1] if self._holds(args[0]) else args[2]),
            "Fn::Equals": lambda args: str(self.resolve(args[0])) == str(self.resolve(args[1])),
            "Fn::Not": lambda args: not self.resolve(args[0]),
            "Fn::And": lambda args: all(map(self.resolve, args)),
            "Fn::Or": lambda args: any(map(self.resolve, args)),
            "Condition": self._holds,
            "Fn::Join": lambda args: args[0].join(self.resolve(args[1])),
            "Fn::Select": lambda args: self.resolve(args[1])[int(args[0])],
            "Fn::Split": lambda args: self.resolve(args[1]).split(args[0]),
        }

    def _ref(self, name: str) -> Any:  # noqa: ANN401 (as resolve)
        if name == "AWS::NoValue":
            return _NO_VALUE
        value = self.references[name]
        is_list = self.template["Parameters"].get(name, {}).get("Type") == "CommaDelimitedList"
        return value.split(",") if is_list and isinstance(value, str) else value

    def _sub(self, argument: str | list[Any]) -> str:
        text, local = (argument, {}) if isinstance(argument, str) else argument
        values = {name: self.resolve(value) for name, value in local.items()}

        def value(match: re.Match[str]) -> str:
            known = {**self.references, **values}
            return str(known[match[1]])

        return re.sub(r"\$\{([^}]+)\}", value, text)

    def _holds(self, condition: str | None) -> bool:
        return condition is None or bool(self.resolve(self.template["Conditions"][condition]))
