"""The controls of the Pod Security Standard "restricted", in the order of its documentation.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_SECCOMP = {"RuntimeDefault", "Localhost"}
_SELINUX = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}


def violations(pod: dict[str, Any]) -> list[str]:
    """Return the controls of the standard that a pod specification violates."""
    context = pod.get("securityContext", {})
    return [*_of_pod(pod, context), *_of_containers(pod, context)]


def _of_pod(pod: dict[str, Any], context: dict[str, Any]) -> Iterator[str]:
    if any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        yield "Host Namespaces"
    if any(set(volume) - {"name"} - _VOLUMES for volume in pod.get("volumes", [])):
        yield "Volume Types"
    if any(each["name"] not in _SYSCTLS for each in context.get("sysctls", [])):
        yield "Sysctls"


def _of_containers(pod: dict[str, Any], context: dict[str, Any]) -> Iterator[str]:
    kinds = ("initContainers", "containers", "ephemeralContainers")
    for container in [each for kind in kinds for each in pod.get(kind, [])]:
        own = container.get("securityContext", {})
        both = context | own
        capabilities = own.get("capabilities", {})
        probes = [
            container.get(f"{kind}Probe", {}) for kind in ("liveness", "readiness", "startup")
        ]
        selinux = both.get("seLinuxOptions", {})
        controls = {
            "HostProcess": both.get("windowsOptions", {}).get("hostProcess"),
            "Privileged Containers": own.get("privileged"),
            "Host Ports": any(port.get("hostPort") for port in container.get("ports", [])),
            "Host Probes": any(probe.get("httpGet", {}).get("host") for probe in probes),
            "AppArmor": both.get("appArmorProfile", {}).get("type") == "Unconfined",
            "SELinux": selinux.get("type", "") not in _SELINUX
            or selinux.get("user")
            or selinux.get("role"),
            "/proc Mount Type": own.get("procMount", "Default") != "Default",
            "Privilege Escalation": own.get("allowPrivilegeEscalation") is not False,
            "Running as Non-root": both.get("runAsNonRoot") is not True,
            "Running as Non-root user": 0 in {context.get("runAsUser"), own.get("runAsUser")},
            "Seccomp": both.get("seccompProfile", {}).get("type") not in _SECCOMP,
            "Capabilities": capabilities.get("drop") != ["ALL"]
            or set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"},
        }
        yield from (control for control, violated in controls.items() if violated)
