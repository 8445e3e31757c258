/* SPDX-License-Identifier: Apache-2.0
 *
 * Sections of ELF files by name, as far as signed enclaves need them: 64 bits, little endian
 * (System V ABI, chapter 4). Pure; every offset is held against the file. */
#pragma once

#include <stdbool.h>

#include "common/base/error.h"
#include "common/base/span.h"

/* Does it begin as an ELF file? */
bool elf_is(struct span file);

/* The bytes of the first section of this name. -EBADMSG: not such a file, or it contradicts itself;
 * -ENOENT: no such section. */
int elf_section(struct span file, const char *name, struct span *ret, struct error *err);
