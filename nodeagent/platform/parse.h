/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of a kernel say: proc(5), sysfs, the misc controller
 * (Documentation/admin-guide/cgroup-v2.rst, "Misc") and the UEFI variables of SGX registration.
 * Pure, one line or one file at a time; what is not as the kernel writes it counts as absent.
 * Private to the room platform. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"

/* Cuts the first line (without its newline) or, ended by sep, the first word off *rest. false:
 * nothing is left. */
bool parse_line(struct span *rest, struct span *ret_line);
bool parse_word(struct span *rest, char sep, struct span *ret_word);

/* A decimal number, perhaps with white space behind it, and nothing else. */
bool parse_u64(struct span s, uint64_t *ret_n);
/* The number behind prefix: "node12" after "node". */
bool parse_numbered(const char *name, const char *prefix, uint64_t *ret_n);

/* The value of "name value\n" lines (misc.capacity, misc.max, misc.events); "max" is UINT64_MAX. A
 * line without its newline was cut and does not count. */
bool parse_misc(struct span text, const char *name, uint64_t *ret_n);

/* Whether a kernel parameter (module parameters, /sys/module) is on: "Y" or "1". */
bool parse_on(struct span text);

/* The flags of a processor: does this line of /proc/cpuinfo list them, and is flag among them. */
bool parse_is_flags(struct span line);
bool parse_has_flag(struct span line, const char *flag);

/* Whether /dev is mounted noexec, from /proc/PID/mountinfo line by line. The last mount of a place
 * is the one that is seen; /dev without a mount of its own is part of /. */
struct mount_flags {
	bool root_noexec, dev_seen, dev_noexec;
};
void parse_mount(struct mount_flags *m, struct span line);
bool parse_dev_noexec(const struct mount_flags *m);

/* The UEFI variable SgxRegistrationStatus as efivarfs gives it: 4 bytes of attributes, version,
 * size and status (16 bits each, little endian), 8 bits of error. */
struct registration_status {
	bool complete;
	uint8_t error; /* the highest bit: software's, else firmware's */
};
bool parse_registration(struct span data, struct registration_status *ret_s);

/* Whether a kernel uevent (kobject_uevent: "ACTION@DEVPATH", then KEY=VALUE, each ended by NUL) is
 * about a device or module that discovery looks at. */
bool parse_uevent(struct span message);
/* A device node's name that discovery looks at: "sgx_enclave", "sev-guest". */
bool parse_is_tee_device(struct span name);
