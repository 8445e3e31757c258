# SPDX-License-Identifier: Apache-2.0
"""The policies in tests/vectors/synthetic/guest-*.toml, which the unit tests compare with what is written,
asked as Kata's agent asks: requests shaped as those of Kata's own tests of its policies."""

import copy
import sys
import tomllib

from regopy import Interpreter

ROOT = "/run/kata-containers/0123/rootfs"
SHARED = "/run/kata-containers/shared/containers/"
DIGEST = "sha256:" + "a" * 64
# The engine compares strings as they are escaped: the one with escapes is another here.
ESCAPED = "print(\\u0027\\u0027\\u0027\\u007f\\n)"
REQUEST = {
    "OCI": {
        "Annotations": {
            "io.kubernetes.cri.container-name": "app",
            "io.kubernetes.cri.container-type": "container",
        },
        "Hooks": None,
        "Mounts": [
            {"destination": "/proc", "type_": "proc", "source": "proc"},
            {"destination": "/dev/shm", "type_": "bind", "source": "/run/kata-containers/sandbox/shm"},
            {"destination": "/etc/hosts", "type_": "bind", "source": SHARED + "0123-hosts"},
            {"destination": "/data", "type_": "bind", "source": SHARED + "0123-data"},
        ],
        "Process": {
            "Args": ["python3", "-c", "plain"],
            "Env": ["PATH=/bin", "KUBERNETES_SERVICE_HOST=1", "KUBERNETES_PORT_443_TCP_ADDR=1", "LANG=C", "APP_X=1"],
        },
        "Root": {"Path": ROOT},
    },
    "storages": [
        {"driver": "image_guest_pull", "source": "registry.example/app@" + DIGEST, "mount_point": ROOT}
    ],
}
failed = passed = 0


def check(name, got, want):
    global failed, passed
    passed, failed = passed + (got == want), failed + (got != want)
    print(f"ok: {name}" if got == want else f"FAILED: {name}: {got}, not {want}")


def policy(name):
    with open(f"tests/vectors/synthetic/guest-{name}.toml", "rb") as f:
        text = tomllib.load(f)["data"]["policy.rego"]
    return text.replace(ESCAPED, "plain")


def allowed(text, rule, request):
    rego = Interpreter()
    rego.add_module("policy", text)
    rego.set_input(request)
    # What does not hold has no result.
    return str(rego.query(f"data.agent_policy.{rule}")) == '{"expressions":[true]}'


def container(**changes):
    """REQUEST with what stands at a path (parts divided by _) set, or, of a list, added."""
    request = copy.deepcopy(REQUEST)
    oci = request["OCI"]
    places = {
        "source": (request["storages"][0], "source"), "storages": (request, "storages"),
        "root": (oci["Root"], "Path"), "args": (oci["Process"], "Args"), "hooks": (oci, "Hooks"),
        "name": (oci["Annotations"], "io.kubernetes.cri.container-name"),
        "kind": (oci["Annotations"], "io.kubernetes.cri.container-type"),
        "annotations": (oci, "Annotations"),
    }
    for name, value in changes.items():
        if name in places:
            where, key = places[name]
            where[key] = value
    for name, place in (("env", oci["Process"]["Env"]), ("mount", oci["Mounts"]), ("storage", request["storages"])):
        if name in changes:
            place.append(changes[name])
    return request


def bind(destination):
    return {"destination": destination, "type_": "bind", "source": SHARED + "0123-x"}


def storage(mount_point, driver="local", source="x"):
    return {"driver": driver, "source": source, "mount_point": mount_point}


def containers(pinned, anything):
    sealed = pinned.split('"sealed": ["')[1].split('"')[0]
    for name, request, want in (
        ("as it should be", container(), True),
        ("its key", container(env=sealed), True),
        ("something else for its key", container(env="SECRET=x"), False),
        ("another sealed secret", container(env=sealed + "x"), False),
        ("a variable that is not listed", container(env="LD_PRELOAD=/x"), False),
        ("a mirror of the image", container(source="mirror.example/x:tag@" + DIGEST), True),
        ("another image", container(source="registry.example/app@sha256:" + "b" * 64), False),
        ("a tag", container(source="registry.example/app:latest"), False),
        ("two digests", container(source="a@b@" + DIGEST), False),
        ("the sandbox's image", container(source="pause"), False),
        ("no image", container(storages=[]), False),
        ("another root", container(root=SHARED + "evil"), False),
        ("two images", container(storage=storage(ROOT, "image_guest_pull", "a@" + DIGEST)), False),
        ("a storage in the root", container(storage=storage(ROOT + "/app")), False),
        ("a storage that climbs", container(storage=storage("/run/../" + ROOT)), False),
        ("a storage beside", container(storage=storage("/run/kata-containers/sandbox/v")), True),
        ("other arguments", container(args=["sh"]), False),
        ("a mount that is not listed", container(mount=bind("/app")), False),
        ("the host's /proc", container(mount=bind("/proc")), False),
        ("hooks", container(hooks={"Prestart": [{"Path": "/x"}]}), False),
        ("a container that is not listed", container(name="evil"), False),
        ("as another container", container(name="side"), False),
        ("as the sandbox", container(kind="sandbox"), False),
        ("the sandbox", container(kind="sandbox", source="pause"), True),
        ("without annotations", container(annotations={}), False),
    ):
        check(f"a workload: {name}", allowed(pinned, "CreateContainerRequest", request), want)
        check(f"anything: {name}", allowed(anything, "CreateContainerRequest", request), True)


def others(text, enter):
    sandbox = {"guest_hook_path": "", "kernel_modules": [], "storages": [storage("/run/kata-containers/sandbox/shm")]}
    for rule, request, want in (
        ("CopyFileRequest", {"path": SHARED + "0123-hosts"}, True),
        ("CopyFileRequest", {"path": SHARED + "v/..data", "symlink_src": "..2026_11_28"}, True),
        ("CopyFileRequest", {"path": SHARED + "../../../../etc/x"}, False),
        ("CopyFileRequest", {"path": "/etc/x"}, False),
        ("CopyFileRequest", {"path": SHARED + "v/x", "symlink_src": "/etc"}, False),
        ("CopyFileRequest", {"path": SHARED + "v/x", "symlink_src": "../../x"}, False),
        ("CreateSandboxRequest", sandbox, True),
        ("CreateSandboxRequest", {**sandbox, "guest_hook_path": "/x"}, False),
        ("CreateSandboxRequest", {**sandbox, "kernel_modules": [{"name": "m"}]}, False),
        ("CreateSandboxRequest", {**sandbox, "storages": [storage("/etc")]}, False),
        ("SetPolicyRequest", {}, False),
        ("AddSwapRequest", {}, False),
        ("ReadStreamRequest", {}, True),
        ("StartContainerRequest", {}, True),
        ("ExecProcessRequest", {}, enter),
        ("WriteStreamRequest", {}, enter),
    ):
        check(f"{rule} {request}", allowed(text, rule, request), want)


containers(policy("workload"), policy("open"))
others(policy("workload"), True)
others(policy("open"), False)
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
