# ruff: noqa: E501  # a case stays in one line
"""`agtool migrate-once inject` as people run it: files, pipes, refusals, and nothing half-written."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from tests.documents import check
from tests.unit.migrate_once.inject.conftest import IMAGE, SERVICE, SHOP, Inject, spec_of


def test_the_new_init_container_is_like_the_container(inject: Inject) -> None:
    done = inject(
        "--attempts", "2", "--wait-timeout", "25m", "--", "rails", "db:migrate", stdin=SHOP
    )
    spec = spec_of(done)
    _, _, install, migrate = spec["initContainers"]
    assert install["image"] == IMAGE
    assert install["args"] == ["install", "/opt/agtool-bin/agtool"]
    (shop,) = spec["containers"]
    for field in ("image", "envFrom", "resources", "securityContext"):
        assert migrate[field] == shop[field]
    assert migrate["env"][: len(shop["env"])] == shop["env"]
    assert migrate["volumeMounts"][0] == shop["volumeMounts"][0]
    assert migrate["command"] == [
        *("/opt/agtool-bin/agtool/agtool", "migrate-once", "--key=registry.example/shop:1.4.2"),
        *("--attempts=2", "--wait-timeout=25m", "--result-file=/dev/termination-log", "--"),
        *("rails", "db:migrate"),
    ]
    assert shop == yaml.safe_load(SHOP)["spec"]["template"]["spec"]["containers"][0]
    assert "Deployment/shop in stdin: injected" in done.stderr


@pytest.mark.parametrize(
    ("pods", "named"),
    [("", None), ("{runAsUser: 1000}", None), ("{fsGroup: 0}", None), ("{runAsUser: 0}", 65532)],
)
def test_who_copies_the_folder(inject: Inject, pods: str, named: int | None) -> None:
    """Whom OpenShift chooses, too; never root."""
    text = SHOP.replace("      containers:", f"      securityContext: {pods}\n      containers:")
    install = spec_of(inject("--", "migrate", stdin=text))["initContainers"][2]
    assert install["securityContext"]["runAsNonRoot"] is True
    assert install["securityContext"].get("runAsUser") == named


def test_an_image_volume(inject: Inject) -> None:
    spec = spec_of(inject("--method=image-volume", "--command", "a b", stdin=SHOP))
    assert [each["name"] for each in spec["initContainers"]][2:] == ["agtool-migrate-once"]
    assert {"name": "agtool-migrate-once", "image": {"reference": IMAGE}} in spec["volumes"]


def test_an_init_container_that_is_there_is_wrapped(inject: Inject) -> None:
    done = inject("--init-container", "migrate", stdin=SHOP)
    spec = spec_of(done)
    names = [each["name"] for each in spec["initContainers"]]
    assert names == ["proxy", "agtool-install", "migrate"]
    wrapped = spec["initContainers"][2]
    assert wrapped["command"][-2:] == ["--", "rake"]
    assert wrapped["args"] == ["db:migrate"]
    (kept,) = done.documents[0]["metadata"]["annotations"].values()
    assert json.loads(kept)["wrapped"]["command"] == ["rake"]
    assert inject("--remove", stdin=done.stdout).stdout == SHOP.encode()


def test_twice_is_once_and_another_wish_takes_its_place(inject: Inject) -> None:
    once = inject("--", "migrate", stdin=SHOP)
    again = inject("--", "migrate", stdin=once.stdout)
    assert again.stdout == once.stdout
    assert "Deployment/shop in stdin: unchanged" in again.stderr
    other = inject("--init-container=migrate", "--key=v2", stdin=once.stdout)
    assert other.stdout == inject("--init-container=migrate", "--key=v2", stdin=SHOP).stdout
    assert inject("--remove", stdin=other.stdout).stdout == SHOP.encode()


def test_after_another_program_has_written_it_anew(inject: Inject) -> None:
    made = yaml.safe_load(inject("--init-container=migrate", stdin=SHOP).stdout)
    done = inject("--remove", stdin=yaml.safe_dump(made))
    assert done.documents[0] == yaml.safe_load(SHOP)


@pytest.mark.parametrize(
    "text",
    [
        SHOP.replace("\n", "\r\n"),
        SHOP.rstrip("\n"),
        "\ufeff" + SHOP,
        SHOP + "---\n" + SERVICE + "...\n# the end",
        "---\n---\n# nothing\n---\n" + SHOP,
        json.dumps(yaml.safe_load(SHOP)),
        json.dumps(yaml.safe_load(SHOP), indent="\t"),
        json.dumps({"apiVersion": "v1", "kind": "List", "items": [yaml.safe_load(SHOP)]}, indent=1),
        SHOP.replace("      volumes:\n        - name: data\n          emptyDir: {}\n", "      volumes:\n"),
        SHOP.replace("    spec:\n      init", "    spec: &pods\n      init") + "x-other: *pods\n",
        "x-pods: &pods\n  volumes: []\n" + SHOP.replace("    spec:\n      init", "    spec:\n      <<: *pods\n      init"),
        "x-volumes: &v [{name: data, emptyDir: {}}]\n"
        + SHOP.replace("      volumes:\n        - name: data\n          emptyDir: {}\n", "      volumes: *v # v\n"),
        SHOP.replace("value: hunter2", "value: |+\n                two\n\n                lines\n\n"),
        SHOP + "status: {}\nstatus: {}\n",
    ],
)  # fmt: skip
def test_the_original_comes_back_to_the_byte(inject: Inject, text: str) -> None:
    made = inject("--", "migrate", stdin=text)
    if "x-other" in text:  # what is added would be there twice
        assert made.exit_code == 3
        assert "An anchor (&)" in made.stderr
        return
    assert made.exit_code == 0, made.stderr
    assert made.stdout != text.encode()
    assert inject("--remove", stdin=made.stdout).stdout == text.encode()


def test_several_files_are_one_stream(inject: Inject, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SERVICE.rstrip("\n"))
    (tmp_path / "b.json").write_text(json.dumps(yaml.safe_load(SHOP)))
    (tmp_path / "c.yaml").write_text("# c\n---\n" + SERVICE)
    (tmp_path / "notes.txt").write_text("{{ no manifest")
    done = inject(tmp_path, "--", "migrate")
    kinds = [each["kind"] for each in done.documents]
    assert kinds == ["Service", "Deployment", "Service"]
    assert done.stdout.startswith(SERVICE.encode() + b"---\n")


def test_in_place_keeps_rights_links_and_the_other_files(inject: Inject, tmp_path: Path) -> None:
    file, link, other = tmp_path / "real", tmp_path / "shop.yaml", tmp_path / "z.yaml"
    file.write_text(SHOP)
    file.chmod(0o640)
    link.symlink_to(file)
    other.write_text(SERVICE)
    before = (other.stat().st_ino, other.stat().st_mtime_ns)
    done = inject(link, other, "--in-place", "--", "migrate")
    assert done.exit_code == 0
    assert done.stdout.decode() == f"Deployment/shop in {link}: injected\n"
    assert "agtool-install" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert (other.stat().st_ino, other.stat().st_mtime_ns) == before
    assert inject(tmp_path, "--remove", "--in-place").exit_code == 0
    assert file.read_text() == SHOP


def test_nothing_is_written_if_one_file_is_bad(inject: Inject, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SHOP)
    (tmp_path / "b.yaml").write_text("a: [")
    done = inject(tmp_path, "--in-place", "--", "migrate")
    assert done.exit_code == 3
    assert f"{tmp_path}/b.yaml (document 1, line 1): it is not YAML" in done.stderr
    assert (tmp_path / "a.yaml").read_text() == SHOP


def test_a_diff_shows_no_secret_and_writes_nothing(inject: Inject, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP)
    done = inject(file, "-o", "diff", "--", "migrate")
    shown = done.stdout.decode()
    assert "+        - name: agtool-migrate-once\n" in shown
    assert not [line for line in shown.splitlines()[2:] if line.startswith("-")]
    assert "hunter2" not in shown
    assert file.read_text() == SHOP


def test_json(inject: Inject) -> None:
    done = inject("-o", "json", "--", "migrate", stdin=SHOP)
    document = json.loads(done.stdout)
    check(document)
    (found,) = document["data"]["workloads"]
    assert (found["workload"], found["action"], found["line"]) == ("Deployment/shop", "injected", 2)
    assert document["data"]["written"] == []
    assert "hunter2" not in done.stdout.decode()
    bad = inject("-o", "json", "--", "migrate", stdin="a: [")
    document = json.loads(bad.stdout)
    check(document)
    assert (bad.exit_code, document["errors"][0]["code"]) == (3, "manifest")


def two(first: str = "shop", second: str = "shop") -> str:
    return "---\n".join(
        SHOP.replace("name: shop\nspec", f"name: {n}\nspec") for n in (first, second)
    )


BAD: list[tuple[str, list[str], int, str]] = [
    ("a: [", ["--", "m"], 3, "stdin (document 1, line 1): it is not YAML"),
    ("a: 1\n---\n{{- if x }}\nb: 1\n", ["--", "m"], 3, "stdin (document 2, line 3): it is a template"),
    (SHOP.replace("name: shop\n", "name: '{{ .x }}'\n", 1), ["--", "m"], 3, "was not rendered"),
    (SHOP.replace("image: registry.example/shop:1.4.2\n          env:", "image: '{{ .v }}'\n          env:"), ["--", "m"], 3, "was not rendered"),
    (SERVICE, ["--", "m"], 3, "there is no workload"),
    ("", ["--", "m"], 3, "there is no workload"),
    (SHOP, ["--workload=deploy/other", "--", "m"], 3, "There are: Deployment/shop."),
    (SHOP, ["--workload=sts/shop", "--", "m"], 3, "there is no StatefulSet/shop"),
    (SHOP, ["--workload=shop", "--", "m"], 2, "is not KIND/NAME"),
    (two(), ["--", "m"], 3, "Deployment/shop is there twice: stdin (document 1, line 2); stdin (document 2, line 36)\nagtool: Give agtool the manifests of one"),
    (two() + "---\n" + two("b", "c"), ["--", "m"], 3, "There are: Deployment/shop (twice), Deployment/b, Deployment/c."),
    (SHOP.replace("image: registry.example/shop:1.4.2\n          env:\n", "image: 1.40\n          env:\n"), ["--", "m"], 3, "the image of the container shop is not text"),
    (SHOP.replace("          image: registry.example/shop:1.4.2\n          env:\n", "          image:\n          env:\n"), ["--", "m"], 3, "the container shop has no image"),
    (SHOP, ["--", "m", "\udcff"], 2, "a word of COMMAND is not UTF-8 text"),
    (SHOP, ["--command=m \udcff"], 2, "--command is not UTF-8 text"),
    (SHOP, ["--key=\udcff", "--", "m"], 2, "--key is not UTF-8 text"),
    (SHOP, ["--host=\udcff", "--", "m"], 2, "--host is not UTF-8 text"),
    (SHOP, ["--kill-grace=5h", "--", "m"], 2, "'--kill-grace': it is too long. It may be 1h at most"),
    (SHOP, ["--kill-grace=5x", "--", "m"], 2, "is not a duration"),
    (SHOP, ["--lock-table=a b", "--", "m"], 2, "'a b' is not a valid name of a table"),
    (SHOP, ["--lock=table", "--engine=mariadb", "--host=h", "--", "m"], 2, "--lock table is for PostgreSQL only"),
    (SHOP, ["--lock-table=t", "--engine=sqlite", "--database=/d", "--", "m"], 2, "--lock-table has no effect with SQLite"),
    (SHOP, ["--name", "n" * 201, "--", "m"], 2, "--name has 201 characters"),
    (SHOP, ["--key", "k" * 501, "--", "m"], 2, "--key has 501 characters"),
    (SHOP, ["--password-command='a", "--", "m"], 2, "cannot be split into words"),
    (SHOP, ["--password-file=/x", "--password-env=DB_PASSWORD", "--", "m"], 2, "--password-env and --password-file cannot be given together"),
    (SHOP, ["--password-command=x", "--password-env=DB_PASSWORD", "--", "m"], 2, "--password-env and --password-command cannot"),
    (SHOP, ["--password-command=x", "--password-file=/x", "--", "m"], 2, "--password-file and --password-command cannot"),
    (SHOP, ["--database-url-env=DATABASE_URL", "--database-url-file=/y", "--", "m"], 2, "--database-url-env and --database-url-file cannot"),
    (SHOP, ["--host-env=DB_PASSWORD", "--host=h", "--", "m"], 2, "--host-env and --host cannot"),
    (two(), ["--workload=deployments.apps/shop", "--", "m"], 3, "is there twice: stdin (document 1"),
    (two("shop", "b"), ["--", "m"], 3, "--workload KIND/NAME"),
    (SHOP, [], 2, "there is no COMMAND to run"),
    (SHOP, ["--command=a && b"], 2, "'&&' in COMMAND is for a shell"),
    (SHOP, ["--command=a | b"], 2, "'|' in COMMAND"),
    (SHOP, ["--command=a $HOME"], 2, "'$HOME' in COMMAND"),
    (SHOP, ["--command=a 'b"], 2, "cannot be split"),
    (SHOP, ["--", "a && b"], 2, "'&&' in COMMAND"),
    (SHOP, ["--", "a b"], 2, "is one word"),
    (SHOP, ["--command=a", "--", "b"], 2, "cannot be given together"),
    (SHOP, ["--container=nosuch", "--", "m"], 3, "has no container nosuch"),
    (SHOP, ["--init-container=nosuch"], 3, "Its init containers: proxy, migrate."),
    (SHOP, ["--init-container=proxy"], 3, "is a sidecar"),
    (SHOP, ["--init-container=migrate", "--", "m"], 3, "has a command, which is kept"),
    (SHOP.replace("          command: [rake]\n", ""), ["--init-container=migrate"], 3, "ENTRYPOINT"),
    (SHOP, ["--image=Bad", "--", "m"], 2, "is not a valid image"),
    (SHOP.replace("1.4.2", "latest"), ["--", "m"], 3, "done for ever"),
    (SHOP.replace(":1.4.2", ""), ["--", "m"], 3, "has no tag"),
    (SHOP, ["--key=latest", "--", "m"], 3, "done for ever"),
    (SHOP.replace("DATABASE_URL", "DB_DSN").replace("          envFrom: []\n", ""), ["--", "m"], 3, "nothing says which database"),
    (SHOP, ["--database-url-env=DB_DSN", "--", "m"], 3, "has no variable DB_DSN"),
    (SHOP.replace("name: data\n          emptyDir", "name: agtool-migrate-once\n          hostPath"), ["--", "m"], 3, "volume agtool-migrate-once is there already"),
    (SHOP.replace("- name: proxy", "- name: agtool-install"), ["--", "m"], 3, "container agtool-install is there already"),
    (SHOP.replace("      volumes:", "      nodeSelector: {kubernetes.io/arch: s390x}\n      volumes:"), ["--", "m"], 3, "kubernetes.io/arch=s390x"),
    (SHOP.replace("      volumes:", "      containers: []\n      volumes:"), ["--", "m"], 3, "has no containers"),
    (SHOP + "spec: {}\n", ["--", "m"], 3, "has no spec.template.spec"),
    (SHOP.replace("      volumes:", "      volumes: [{name: a, emptyDir: {}}]\n      volumes:"), ["--", "m"], 3, "line 32): the key volumes stands there twice"),
    ("apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: r}\nspec: {workloadRef: {kind: Deployment, name: shop}}\n", ["--", "m"], 3, "workloadRef"),
    (SHOP, ["--remove", "--key=x"], 2, "--key has no effect with --remove"),
    (SHOP, ["--in-place", "--", "m"], 2, "cannot be written in place"),
    (SHOP, ["--attempts=0", "--", "m"], 2, "is not a number from 1"),
    (SHOP, ["--wait-timeout=5x", "--", "m"], 2, "is not a duration"),
    (SHOP.replace("      volumes:", "      x: &x [*x]\n      volumes:"), ["--", "m"], 3, "holds itself"),
    (SHOP, ["/nosuch.yaml", "--", "m"], 3, "cannot read /nosuch.yaml"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "arguments", "code", "told"), BAD)
def test_what_cannot_be_done(
    inject: Inject, text: str, arguments: list[str], code: int, told: str
) -> None:
    done = inject(*arguments, stdin=text)
    assert (done.exit_code, done.stdout) == (code, b""), done.stderr
    assert told in done.stderr
    assert all(line.startswith("agtool: ") for line in done.stderr.splitlines())


def test_no_image(inject: Inject) -> None:
    done = inject("--", "migrate", stdin=SHOP, image="")
    assert done.exit_code == 2
    assert "--image REF" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "image", "told"),
    [(["--image=B"], "a:1", "--image 'B' is not"), ([], "B", "AGTOOL_IMAGE 'B' is not")],
)
def test_where_a_wrong_image_was_named(
    inject: Inject, arguments: list[str], image: str, told: str
) -> None:
    assert told in inject(*arguments, "--", "m", stdin=SHOP, image=image).stderr


def test_what_the_pod_takes_is_handed_on(inject: Inject) -> None:
    """The checks of agtool in the pod are not stricter here."""
    said = ["--name", "n" * 200, "--key", "k" * 500, "--kill-grace=1h", '--lock-table="My-App".t']
    said += ["--engine=mysql", "--host=h", "--user-env=DB_PASSWORD", "--password-file=/x"]
    done = inject(*said, "--", "m", stdin=SHOP)
    command = spec_of(done)["initContainers"][-1]["command"]
    assert command[2] == f"--key={'k' * 500}"
    assert '--lock-table="My-App".t' in command
    done = inject("--lock-table=$(SCHEMA).locks", "--", "m", stdin=SHOP)
    assert "--lock-table=$(SCHEMA).locks" in spec_of(done)["initContainers"][-1]["command"]


@pytest.mark.parametrize("init", [False, True])
def test_dollars_reach_the_command(inject: Inject, init: bool) -> None:
    """The kubelet makes one of two, and puts the variable into $(NAME)."""
    text = SHOP.replace("          command: [rake]\n", "") if init else SHOP
    target = ["--init-container=migrate"] if init else []
    said = ["--key=a$$b", "--password-command=p $$$X", "--host=$(PG)"]
    words = ["sh", "-c", "echo $$ $(DB_PASSWORD) $X $"]
    done = inject(*target, *said, f"--command={shlex.join(words)}", stdin=text) if init else inject(*said, "--", *words, stdin=text)  # fmt: skip
    command = spec_of(done)["initContainers"][-1]["command"]
    assert "--key=a$$$$b" in command
    assert "--password-command=p $$$$$X" in command
    assert "--host=$(PG)" in command
    assert command[-3:] == ["sh", "-c", "echo $$$$ $(DB_PASSWORD) $X $"]
    assert inject("--remove", stdin=done.stdout).stdout == text.encode()


def test_dollars_of_the_manifest_stay(inject: Inject) -> None:
    text = SHOP.replace("[rake]", '[sh, -c, "echo $$ $$$$(X)"]')
    done = inject("--init-container=migrate", stdin=text)
    assert spec_of(done)["initContainers"][-1]["command"][-3:] == ["sh", "-c", "echo $$ $$$$(X)"]


def test_what_is_no_text(inject: Inject) -> None:
    done = inject("--", "migrate", stdin=b"a: \xff\n")
    assert (done.exit_code, done.stdout) == (3, b"")
    assert "stdin is not text in UTF-8 (line 1)" in done.stderr


def test_variables_that_the_manifest_does_not_list(inject: Inject) -> None:
    """With envFrom nobody can tell which there are."""
    text = SHOP.replace("envFrom: []", "envFrom: [{secretRef: {name: shop}}]")
    done = inject(
        "--engine=mysql", "--host-env=DB_HOST", "--password-env=DB_PASS", "--", "m", stdin=text
    )
    command = spec_of(done)["initContainers"][-1]["command"]
    assert command[3:6] == ["--engine=mysql", "--host-env=DB_HOST", "--password-env=DB_PASS"]


def test_pods_that_run_beside_a_workload_are_not_meant(inject: Inject) -> None:
    hook = "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: h, annotations: {helm.sh/hook: x}}\n"
    test = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: t}\nspec: {containers: []}\n"
    done = inject("--", "m", stdin=SHOP + hook + test)
    assert done.stdout.endswith((hook + test).encode())
    assert spec_of(done)["initContainers"][-1]["name"] == "agtool-migrate-once"


def listed(number: int) -> str:
    others = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{i}"}, "data": {"a": "x" * 80, "b": "y" * 80}} for i in range(number)]  # fmt: skip
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [*others, yaml.safe_load(SHOP)]}, indent=2)  # fmt: skip


def many(number: int) -> str:
    return "---\n".join([*(SHOP.replace("name: shop\nspec", f"name: s{i}\nspec") for i in range(number)), SHOP])  # fmt: skip


@pytest.mark.timeout(600)  # seconds on a machine that does nothing else
@pytest.mark.parametrize(("make", "number"), [(listed, 31_500), (many, 11_500)])
def test_ten_megabytes(
    inject: Inject, make: Callable[[int], str], number: int, tmp_path: Path
) -> None:
    text = make(number)
    assert len(text) > 10_000_000
    (tmp_path / "big.yaml").write_text(text)
    done = inject(tmp_path / "big.yaml", "--workload=deployment/shop", "--", "migrate")
    assert done.exit_code == 0, done.stderr
    assert len(done.stdout) > len(text)
    assert done.stdout.startswith(text[:1000].encode())


def test_an_error_deep_in_a_large_list_has_its_line(inject: Inject) -> None:
    """Such a list is not read as a whole again, but the item alone."""
    item = "".join(f"    {line}\n" for line in SHOP.splitlines()).replace("    #", "  - #", 1)
    bad = item.replace("          volumes:", "          volumes: []\n          volumes:")
    text = f"kind: List\napiVersion: v1\nitems:\n{item.replace('name: shop', 'name: a') * 300}{bad}"
    done = inject("--workload=deploy/shop", "--", "m", stdin=text)
    assert done.exit_code == 3
    second = len(text[: text.rindex("volumes:\n")].splitlines())
    assert f"line {second}): the key volumes stands there twice" in done.stderr


def test_json_with_characters_as_two_escapes(inject: Inject) -> None:
    """YAML forbids these, and what is JSON is not read as YAML by Kubernetes."""
    shop = yaml.safe_load(SHOP)
    shop["metadata"]["annotations"] = {"motd": "\N{ROCKET}", "path": r"\ud83d\ude80 \ue03d"}
    shop["spec"]["template"]["spec"]["containers"][0]["env"][1]["value"] = "\N{ROCKET}\ue03d"
    text = json.dumps(shop)
    assert r"\ud83d\ude80" in text
    done = inject("--", "m", stdin=text)
    assert done.exit_code == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["metadata"] == shop["metadata"]
    containers = made["spec"]["template"]["spec"]
    (was,) = shop["spec"]["template"]["spec"]["containers"]
    assert containers["containers"] == [was]
    assert containers["initContainers"][-1]["env"][:2] == was["env"]
    assert inject("--remove", stdin=done.stdout).stdout == text.encode()


def resource_list(spec: object, *items: str) -> str:
    """As Kustomize hands objects to a function."""
    function: dict[str, object] = {"apiVersion": "a/v1", "kind": "M", "metadata": {"name": "m"}}
    if spec is not None:
        function["spec"] = spec
    objects = {
        "apiVersion": "config.kubernetes.io/v1",
        "kind": "ResourceList",
        "items": [yaml.safe_load(each) for each in items],
        "functionConfig": function,
    }
    return str(yaml.safe_dump(objects))


def test_a_function_has_its_options_in_its_configuration(inject: Inject) -> None:
    spec = {"workload": "deploy/shop", "command": "rails db:migrate", "attempts": 2, "key": "v2"}
    text = resource_list(spec, SERVICE, SHOP)
    done = inject(stdin=text)
    assert done.exit_code == 0, done.stderr
    (document,) = done.documents
    assert document["functionConfig"] == yaml.safe_load(text)["functionConfig"]
    service, shop = document["items"]
    assert service == yaml.safe_load(SERVICE)
    command = shop["spec"]["template"]["spec"]["initContainers"][-1]["command"]
    assert command[2:4] == ["--key=v2", "--attempts=2"]
    assert command[-3:] == ["--", "rails", "db:migrate"]
    listed = resource_list({"command": ["sh", "-c", "a && b"]}, SHOP)
    (document,) = inject(stdin=listed).documents
    spec_of_pods = document["items"][0]["spec"]["template"]["spec"]
    assert spec_of_pods["initContainers"][-1]["command"][-3:] == ["sh", "-c", "a && b"]
    removed = inject(stdin=resource_list({"remove": True}, yaml.safe_dump(document["items"][0])))
    assert removed.documents[0]["items"] == [yaml.safe_load(SHOP)]


def test_a_function_that_is_not_yaml(inject: Inject) -> None:
    broken = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: [\n"
    done = inject("--remove", stdin=broken)
    assert (done.exit_code, "(document 1, line 3): it is not YAML" in done.stderr) == (3, True)


SCALARS = ["12e4567", "1.10", "0123", "1e3", "true", "1_000", "0x1f", "yes", "12:30:45", "2026-01-02"]  # fmt: skip


@pytest.mark.parametrize("text", SCALARS)
def test_a_function_takes_what_stands_in_its_configuration(inject: Inject, text: str) -> None:
    """A commit such as 12e4567 is no number, of which the key would be the same for all of them."""
    spec = {"key": "KEY", "name": "KEY", "command": ["run", "KEY", "a"]}
    done = inject(stdin=resource_list(spec, SHOP).replace("KEY", text))
    assert done.exit_code == 0, done.stderr
    command = done.documents[0]["items"][0]["spec"]["template"]["spec"]["initContainers"][-1][
        "command"
    ]
    assert command[2:4] == [f"--key={text}", f"--name={text}"]
    assert command[-3:] == ["run", text, "a"]


@pytest.mark.parametrize(
    ("spec", "code", "told"),
    [
        (None, 3, "no functionConfig with a spec"),
        ({"comand": "x"}, 2, "a field 'comand', which is no option"),
        ({"in-place": True, "command": "x"}, 2, "a field 'in-place'"),
        ({"workload": ["x"], "command": "x"}, 2, "is not a text"),
        ({"command": ["x", None]}, 2, "a word of command"),
        ({"command": ["x", ["y"]]}, 2, "a word of command"),
        ({"key": None, "command": "x"}, 2, "the field key"),
        ({"attempts": 0, "command": "x"}, 2, "is not a number from 1"),
        ({"method": "other", "command": "x"}, 2, "other"),
    ],
)
def test_a_function_with_a_bad_configuration(
    inject: Inject, spec: object, code: int, told: str
) -> None:
    done = inject(stdin=resource_list(spec, SHOP))
    assert (done.exit_code, done.stdout) == (code, b"")
    assert told in done.stderr
