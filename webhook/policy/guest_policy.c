/* SPDX-License-Identifier: Apache-2.0
 *
 * The policy by which Kata's agent in a confidential VM obeys the host: what runs in there is what
 * spec.workload lists, and nobody enters but whom spec.access lets in. Requests that no rule names
 * are refused by the agent. The keywords are imported, so that engines of either version of Rego
 * read it. */
#include "common/base/json_string.h"
#include "common/kbs/sealed.h"
#include "webhook/policy/guest.h"
#include "webhook/policy/guest_init_data.h"

/* What the host does to any pod. Network and clock are the host's anyway. */
static const char requests[] = "package agent_policy\n"
			       "\n"
			       "import future.keywords.every\n"
			       "import future.keywords.if\n"
			       "import future.keywords.in\n"
			       "\n"
			       "default AddARPNeighborsRequest := true\n"
			       "default CloseStdinRequest := true\n"
			       "default CopyFileRequest := false\n"
			       "default CreateSandboxRequest := false\n"
			       "default DestroySandboxRequest := true\n"
			       "default GetMetricsRequest := true\n"
			       "default GetOOMEventRequest := true\n"
			       "default GuestDetailsRequest := true\n"
			       "default ListInterfacesRequest := true\n"
			       "default ListRoutesRequest := true\n"
			       "default OnlineCPUMemRequest := true\n"
			       "default PauseContainerRequest := true\n"
			       "default ReadStreamRequest := true\n"
			       "default RemoveContainerRequest := true\n"
			       "default RemoveStaleVirtiofsShareMountsRequest := true\n"
			       "default ResumeContainerRequest := true\n"
			       "default SetGuestDateTimeRequest := true\n"
			       "default SetPolicyRequest := false\n"
			       "default SignalProcessRequest := true\n"
			       "default StartContainerRequest := true\n"
			       "default StatsContainerRequest := true\n"
			       "default TtyWinResizeRequest := true\n"
			       "default UpdateContainerRequest := true\n"
			       "default UpdateInterfaceRequest := true\n"
			       "default UpdateRoutesRequest := true\n"
			       "default WaitProcessRequest := true\n";

/* Files come into the folder that mounts are taken from, and nowhere else. */
static const char rules[] =
	"\n"
	"CreateSandboxRequest if {\n"
	"\tcount(object.get(input, \"guest_hook_path\", \"\")) == 0\n"
	"\tcount(object.get(input, \"kernel_modules\", [])) == 0\n"
	"\tevery s in object.get(input, \"storages\", []) {\n"
	"\t\tstartswith(s.mount_point, \"/run/kata-containers/\")\n"
	"\t\tnot climbs(s.mount_point)\n"
	"\t}\n"
	"}\n"
	"\n"
	"CopyFileRequest if {\n"
	"\tstartswith(input.path, \"/run/kata-containers/shared/containers/\")\n"
	"\tnot climbs(input.path)\n"
	"\tnot leads_away\n"
	"}\n"
	"\n"
	"leads_away if startswith(input.symlink_src, \"/\")\n"
	"\n"
	"leads_away if climbs(input.symlink_src)\n"
	"\n"
	"climbs(path) if \"..\" in split(path, \"/\")\n";

/* Of a profile with a workload. The image is pulled inside, by digest, and is the container's root;
 * the sandbox's own is part of the guest, whatever registry has one of that name. */
static const char workload_rules[] =
	"default CreateContainerRequest := false\n"
	"\n"
	"CreateContainerRequest if {\n"
	"\tinput.OCI.Annotations[\"io.kubernetes.cri.container-type\"] == \"sandbox\"\n"
	"\tno_hooks\n"
	"\tevery s in input.storages { s.driver == \"image_guest_pull\" }\n"
	"\tcount(input.storages) == 1\n"
	"\tinput.storages[0].source == \"pause\"\n"
	"\tinput.OCI.Root.Path == input.storages[0].mount_point\n"
	"}\n"
	"\n"
	"CreateContainerRequest if {\n"
	"\tinput.OCI.Annotations[\"io.kubernetes.cri.container-type\"] == \"container\"\n"
	"\tno_hooks\n"
	"\tsome c in containers\n"
	"\tc.name == input.OCI.Annotations[\"io.kubernetes.cri.container-name\"]\n"
	"\timage_allowed(c)\n"
	"\targs_allowed(c)\n"
	"\tevery m in input.OCI.Mounts { mount_allowed(c, m) }\n"
	"\tevery e in input.OCI.Process.Env { variable_allowed(c, e) }\n"
	"}\n"
	"\n"
	"no_hooks if is_null(object.get(input.OCI, \"Hooks\", null))\n"
	"\n"
	"image_allowed(c) if {\n"
	"\tpulled := [s | some s in input.storages; s.driver == \"image_guest_pull\"]\n"
	"\tcount(pulled) == 1\n"
	"\tsource := split(pulled[0].source, \"@\")\n"
	"\tcount(source) == 2\n"
	"\tsource[1] in c.images\n"
	"\tinput.OCI.Root.Path == pulled[0].mount_point\n"
	"\tevery s in input.storages { storage_allowed(s) }\n"
	"}\n"
	"\n"
	"storage_allowed(s) if s.driver == \"image_guest_pull\"\n"
	"\n"
	"storage_allowed(s) if {\n"
	"\tnot s.mount_point == input.OCI.Root.Path\n"
	"\tnot startswith(s.mount_point, concat(\"\", [input.OCI.Root.Path, \"/\"]))\n"
	"\tnot climbs(s.mount_point)\n"
	"}\n"
	"\n"
	"args_allowed(c) if not c.args\n"
	"\n"
	"args_allowed(c) if c.args == input.OCI.Process.Args\n"
	"\n"
	"mount_allowed(c, m) if m.destination in c.mounts\n"
	"\n"
	"mount_allowed(_, m) if m.destination in kubelet_mounts\n"
	"\n"
	"mount_allowed(_, m) if {\n"
	"\tm.destination in system_mounts\n"
	"\tm.type_ != \"bind\"\n"
	"}\n"
	"\n"
	"kubelet_mounts := {\"/dev/shm\", \"/dev/termination-log\", \"/etc/hostname\", "
	"\"/etc/hosts\", \"/etc/resolv.conf\", \"/var/run/secrets/kubernetes.io/serviceaccount\"}\n"
	"\n"
	"system_mounts := {\"/dev\", \"/dev/mqueue\", \"/dev/pts\", \"/proc\", \"/sys\", "
	"\"/sys/fs/cgroup\"}\n"
	"\n"
	"variable_allowed(c, e) if e in c.sealed\n"
	"\n"
	"variable_allowed(c, e) if {\n"
	"\tname := split(e, \"=\")[0]\n"
	"\tnot name in c.keys\n"
	"\tname_allowed(c, name)\n"
	"}\n"
	"\n"
	"name_allowed(c, name) if name in c.env\n"
	"\n"
	"name_allowed(c, name) if {\n"
	"\tsome prefix in c.env_prefixes\n"
	"\tstartswith(name, prefix)\n"
	"}\n"
	"\n"
	"name_allowed(_, name) if name in {\"HOME\", \"HOSTNAME\", \"PATH\", \"TERM\"}\n"
	"\n"
	"name_allowed(_, name) if regex.match("
	"\"^[A-Z][A-Z0-9_]*_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|"
	"PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$\", name)\n";

/* A string of Rego that may stand in a literal string of TOML: three quotes would end that, and
 * DEL is not allowed in it. */
static void write_string(struct buf *out, struct span s)
{
	_cleanup_buf_ struct buf quoted = BUF_INIT(out->max);

	if (buf_json_string(&quoted, s) < 0) {
		out->err = out->err ? out->err : quoted.err;
		return;
	}
	for (size_t i = 0; i < quoted.len; i++) {
		char c = quoted.p[i];

		if (c == '\'' || c == 0x7f)
			buf_printf(out, "\\u%04x", c);
		else
			buf_putc(out, c);
	}
}

static void write_value(struct buf *out, struct json_val v)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(INIT_DATA_MAX);
	struct span s = json_str(v, &a);

	if (!s.p && !out->err)
		out->err = -ENOMEM;
	write_string(out, s);
}

/* "name": [those of list that keep() keeps], */
static void write_list(struct buf *out, const char *name, struct json_val list,
	bool (*keep)(struct span raw), size_t cut)
{
	struct json_iter it;
	size_t n = 0;

	buf_printf(out, "\t\t\"%s\": [", name);
	json_each (it, list) {
		_cleanup_arena_ struct arena a = ARENA_INIT(INIT_DATA_MAX);
		struct span s = json_str(it.value, &a);

		if (!s.p && !out->err)
			out->err = -ENOMEM;
		if (!s.p || (keep && !keep(s)))
			continue;
		buf_puts(out, n++ ? ", " : "");
		write_string(out, (struct span){s.p, s.len - cut});
	}
	buf_puts(out, "],\n");
}

static bool is_prefix(struct span s)
{
	return s.len && s.p[s.len - 1] == '*';
}

static bool is_name(struct span s)
{
	return !is_prefix(s);
}

/* Variables that keys come in: their names, and what may stand in them. */
static void write_keys(struct buf *out, const struct profile *p, bool whole)
{
	struct json_iter it;
	size_t n = 0;

	buf_puts(out, whole ? "\t\t\"sealed\": [" : "\t\t\"keys\": [");
	json_each (it, json_get(p->spec, "keys")) {
		struct json_val name = json_find(it.value, "deliver", "env");
		_cleanup_arena_ struct arena a = ARENA_INIT(INIT_DATA_MAX);
		struct span variable = json_str(name, &a);
		const char *text;

		if (!json_exists(name))
			continue;
		buf_puts(out, n++ ? ", " : "");
		if (!whole) {
			write_string(out, variable);
			continue;
		}
		text = guest_sealed(p, it.value, &a);
		text = text ? arena_printf(&a, SPAN_FMT "=%s", SPAN_ARG(variable), text) : NULL;
		if (!text && !out->err)
			out->err = -ENOMEM;
		write_string(out, span_str(text));
	}
	buf_puts(out, "],\n");
}

static void write_container(struct buf *out, const struct profile *p, struct json_val c)
{
	struct json_val command = json_get(c, "command"), env = json_get(c, "env");

	buf_puts(out, "\t{\n\t\t\"name\": ");
	write_value(out, json_get(c, "name"));
	buf_puts(out, ",\n");
	write_list(out, "images", json_get(c, "imageDigests"), NULL, 0);
	if (json_count(command) > 0)
		write_list(out, "args", command, NULL, 0);
	write_list(out, "mounts", json_get(c, "mounts"), NULL, 0);
	write_list(out, "env", env, is_name, 0);
	write_list(out, "env_prefixes", env, is_prefix, 1);
	write_keys(out, p, false);
	write_keys(out, p, true);
	buf_puts(out, "\t},\n");
}

bool guest_policy_pins_code(struct json_val spec)
{
	struct json_val containers = json_find(spec, "workload", "containers");
	struct json_iter it;

	json_each (it, containers)
		if (json_count(json_get(it.value, "imageDigests")) == 0 ||
			json_count(json_get(it.value, "command")) == 0)
			return false;
	return json_count(containers) > 0;
}

int guest_policy_write(struct buf *out, const struct profile *p)
{
	struct json_val containers = json_find(p->spec, "workload", "containers");
	struct json_iter it;

	buf_puts(out, requests);
	buf_printf(out, "default ExecProcessRequest := %s\n",
		p->access[ACCESS_EXEC] ? "true" : "false");
	buf_printf(out, "default WriteStreamRequest := %s\n",
		p->access[ACCESS_EXEC] || p->access[ACCESS_ATTACH] ? "true" : "false");
	if (json_count(containers) == 0) {
		buf_puts(out, "default CreateContainerRequest := true\n");
		return buf_puts(out, rules);
	}
	buf_puts(out, workload_rules);
	buf_puts(out, rules);
	buf_puts(out, "\ncontainers := [\n");
	json_each (it, containers)
		write_container(out, p, it.value);
	return buf_puts(out, "]\n");
}
