"""Immutable versioned folders, and the one pointer that makes a set of them the live release."""

from recsys.artifacts.files import write_atomically
from recsys.artifacts.manifest import Manifest
from recsys.artifacts.releases import Release, Releases
from recsys.artifacts.store import Artifact, ArtifactStore

__all__ = ["Artifact", "ArtifactStore", "Manifest", "Release", "Releases", "write_atomically"]
