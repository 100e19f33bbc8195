"""Simple binary serializer of the generation before 0.7, as `hat.sbs` 0.6: a type is named by two arguments, and a repository has its
serializer."""

from __future__ import annotations

import pathlib
import typing

from hat_native import sbs
from hat_native.sbs import (Bytes,
                            CSerializer,
                            Data,
                            DefaultSerializer,
                            NativeSerializer,
                            PySerializer,
                            Ref,
                            Serializer)


class Repository(sbs.Schemas):
    """SBS schema repository.

    Supported initialization arguments:
        * string containing sbs schema
        * file path to .sbs file
        * path to directory recursively searched for .sbs files
        * other repository

    """

    def __init__(self,
                 *args: Repository | pathlib.PurePath | str,
                 serializer: type[Serializer] = DefaultSerializer):
        super().__init__(*args)
        self._serializer = serializer

    def encode(self,
               module_name: str | None,
               type_name: str,
               value: Data
               ) -> Bytes:
        """Encode value."""
        return self._serializer.encode(self._refs, Ref(module_name, type_name), value)

    def decode(self,
               module_name: str | None,
               type_name: str,
               data: Bytes
               ) -> Data:
        """Decode data."""
        return self._serializer.decode(self._refs, Ref(module_name, type_name), data)

    @staticmethod
    def from_json(data: pathlib.PurePath | typing.Any,
                  *,
                  serializer: type[Serializer] = DefaultSerializer
                  ) -> Repository:
        """Create new repository from what `Repository.to_json` exported, or from a file with it."""
        return Repository(serializer=serializer)._load(data)


__all__ = ['Repository',
           'Data',
           'Serializer',
           'CSerializer',
           'PySerializer',
           'NativeSerializer',
           'DefaultSerializer']
