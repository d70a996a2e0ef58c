"""Log-in plugins of a kubeconfig (`exec`), which print a token or a certificate."""

from __future__ import annotations

from tempfile import NamedTemporaryFile
from typing import Any

from agtool.core.errors import ConfigurationError

MISSHAPEN = (ValueError, TypeError, KeyError, AttributeError)
"""What Python raises at data that have another shape than they should."""


def loader_with_plugins() -> Any:
    """The official client's class that reads a kubeconfig, except for a plugin that fails.

    The client only logs that, and goes on as nobody. Here it raises ConfigurationError, also when
    a token has to be renewed.
    """
    from kubernetes.config import ConfigException
    from kubernetes.config.dateutil import parse_rfc3339
    from kubernetes.config.exec_provider import ExecProvider
    from kubernetes.config.kube_config import KubeConfigLoader

    run_plugin: Any = ExecProvider
    parse_time: Any = parse_rfc3339

    class Loader(KubeConfigLoader):
        def _load_from_exec_plugin(self: Any) -> bool:
            if "exec" not in self._user:
                return False
            folder = self._get_base_path(self._cluster.path)
            try:
                status = run_plugin(self._user["exec"], folder, self._cluster).run()
                if "token" in status:
                    self.token = f"Bearer {status['token']}"
                else:
                    self.cert_file = _file(self._temp_file_path, status["clientCertificateData"])
                    self.key_file = _file(self._temp_file_path, status["clientKeyData"])
                if "expirationTimestamp" in status:
                    self.expiry = parse_time(status["expirationTimestamp"])
            except (ConfigException, OSError, *MISSHAPEN) as error:
                why = f"its answer has no {error}" if isinstance(error, KeyError) else error
                raise ConfigurationError(
                    f"the log-in plugin of the kubeconfig failed: {why}",
                    hint="Log in again with your provider's own command, or install the plugin.",
                ) from error
            return True

    return Loader


def _file(folder: str, content: str) -> str:
    """Make a file; its path."""
    with NamedTemporaryFile("w", encoding="utf-8", dir=folder, delete=False) as file:
        file.write(content)
    return file.name
