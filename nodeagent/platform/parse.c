/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/platform/parse.h"

#include "common/base/cleanup.h"

bool parse_word(struct span *rest, char sep, struct span *ret_word)
{
	const char *end;

	if (rest->len == 0)
		return false;
	end = memchr(rest->p, sep, rest->len);
	if (!end) {
		*ret_word = *rest;
		*rest = SPAN_NONE;
		return true;
	}
	*ret_word = (struct span){rest->p, (size_t)(end - rest->p)};
	rest->len -= ret_word->len + 1;
	rest->p = end + 1;
	return true;
}

bool parse_line(struct span *rest, struct span *ret_line)
{
	return parse_word(rest, '\n', ret_line);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static struct span trim(struct span s)
{
	while (s.len > 0 && blank(s.p[s.len - 1]))
		s.len--;
	while (s.len > 0 && blank(s.p[0]))
		s = (struct span){s.p + 1, s.len - 1};
	return s;
}

bool parse_u64(struct span s, uint64_t *ret_n)
{
	uint64_t n = 0;

	while (s.len > 0 && blank(s.p[s.len - 1]))
		s.len--;
	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';

		if (digit > 9 || __builtin_mul_overflow(n, (uint64_t)10, &n) ||
			__builtin_add_overflow(n, (uint64_t)digit, &n))
			return false;
	}
	*ret_n = n;
	return true;
}

bool parse_numbered(const char *name, const char *prefix, uint64_t *ret_n)
{
	return parse_u64(span_after(span_str(name), prefix), ret_n);
}

bool parse_misc(struct span text, const char *name, uint64_t *ret_n)
{
	struct span wanted = span_str(name), line, word;

	while (text.len > 0 && memchr(text.p, '\n', text.len) && parse_line(&text, &line)) {
		if (!parse_word(&line, ' ', &word) || !span_equal(word, wanted))
			continue;
		if (span_is(line, "max")) {
			*ret_n = UINT64_MAX;
			return true;
		}
		return parse_u64(line, ret_n);
	}
	return false;
}

bool parse_on(struct span text)
{
	struct span s = trim(text);

	return span_is(s, "Y") || span_is(s, "1");
}

bool parse_is_flags(struct span line)
{
	struct span key;

	return parse_word(&line, ':', &key) && span_is(trim(key), "flags");
}

static bool has_word(struct span list, char sep, struct span wanted)
{
	struct span word;

	while (parse_word(&list, sep, &word))
		if (span_equal(word, wanted))
			return true;
	return false;
}

bool parse_has_flag(struct span line, const char *flag)
{
	struct span key;

	return parse_word(&line, ':', &key) && has_word(trim(line), ' ', span_str(flag));
}

void parse_mount(struct mount_flags *m, struct span line)
{
	struct span fields[6]; /* id, parent, device, root, mount point, options */
	bool noexec;

	for (size_t i = 0; i < 6; i++)
		if (!parse_word(&line, ' ', &fields[i]))
			return;
	noexec = has_word(fields[5], ',', SPAN_LIT("noexec"));
	if (span_is(fields[4], "/")) {
		m->root_noexec = noexec;
	} else if (span_is(fields[4], "/dev")) {
		m->dev_seen = true;
		m->dev_noexec = noexec;
	}
}

bool parse_dev_noexec(const struct mount_flags *m)
{
	return m->dev_seen ? m->dev_noexec : m->root_noexec;
}

bool parse_registration(struct span data, struct registration_status *ret_s)
{
	const unsigned char *p = (const unsigned char *)data.p;

	enum {
		ATTRIBUTES = 4,
		VERSION = ATTRIBUTES,
		SIZE = VERSION + 2,
		STATUS = SIZE + 2,
		ERROR = STATUS + 2,
		ALL = ERROR + 1,
	};
	if (data.len != ALL || p[VERSION] + 256 * p[VERSION + 1] == 0 ||
		p[SIZE] + 256 * p[SIZE + 1] != ALL - STATUS)
		return false;
	*ret_s = (struct registration_status){.complete = p[STATUS] & 1, .error = p[ERROR]};
	return true;
}

bool parse_is_tee_device(struct span name)
{
	return span_starts(name, "sgx") || span_starts(name, "isgx") || span_starts(name, "tdx") ||
	       span_starts(name, "sev");
}

bool parse_uevent(struct span message)
{
	static const char *const modules[] = {
		"kvm_intel", "kvm_amd", "ccp", "tdx_guest", "sev_guest", "tsm", "tsm_report"};
	struct span first, pair, subsystem = SPAN_NONE, device = SPAN_NONE, path = SPAN_NONE;

	if (!parse_word(&message, '\0', &first) || first.len == 0 ||
		!memchr(first.p, '@', first.len))
		return false;
	while (parse_word(&message, '\0', &pair)) {
		if (span_starts(pair, "SUBSYSTEM="))
			subsystem = span_after(pair, "SUBSYSTEM=");
		else if (span_starts(pair, "DEVNAME="))
			device = span_after(pair, "DEVNAME=");
		else if (span_starts(pair, "DEVPATH="))
			path = span_after(pair, "DEVPATH=");
	}
	/* /dev/kvm comes last, when KVM's parameters are what they will be */
	if (span_is(subsystem, "misc"))
		return parse_is_tee_device(device) || span_is(device, "kvm");
	if (!span_is(subsystem, "module"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++)
		if (span_is(span_after(path, "/module/"), modules[i]))
			return true;
	return false;
}
