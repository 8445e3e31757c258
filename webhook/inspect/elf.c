/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/inspect/elf.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>

_Static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "headers are read as they lie in the file");

bool elf_is(struct span file)
{
	return file.len >= SELFMAG && memcmp(file.p, ELFMAG, SELFMAG) == 0;
}

static int bad(struct error *err, const char *what)
{
	return error_set(err, -EBADMSG, "ELF: %s", what);
}

/* n bytes at offset; false: the file does not have them. */
static bool slice(struct span file, uint64_t offset, uint64_t n, struct span *ret)
{
	if (offset > file.len || n > file.len - offset)
		return false;
	*ret = (struct span){file.p + offset, n};
	return true;
}

static int read_header(struct span file, Elf64_Ehdr *ret, struct error *err)
{
	if (!elf_is(file) || file.len < sizeof(*ret))
		return bad(err, "no header of an ELF file");
	memcpy(ret, file.p, sizeof(*ret));
	if (ret->e_ident[EI_CLASS] != ELFCLASS64 || ret->e_ident[EI_DATA] != ELFDATA2LSB ||
		ret->e_shentsize != sizeof(Elf64_Shdr))
		return bad(err, "not of 64 bits and little endian, or without sections");
	return 0;
}

/* Section i of table, whose entries the caller counted. */
static Elf64_Shdr entry(struct span table, size_t i)
{
	Elf64_Shdr s;

	memcpy(&s, table.p + i * sizeof(s), sizeof(s));
	return s;
}

/* The name at offset in the string table; it must end there. */
static bool named(struct span names, uint32_t offset, const char *name)
{
	size_t n = strlen(name) + 1;
	struct span s;

	return slice(names, offset, n, &s) && memcmp(s.p, name, n) == 0;
}

int elf_section(struct span file, const char *name, struct span *ret, struct error *err)
{
	struct span table, names;
	Elf64_Ehdr h = {0};
	Elf64_Shdr s;
	int r = read_header(file, &h, err);

	if (r < 0)
		return r;
	if (!slice(file, h.e_shoff, (uint64_t)h.e_shnum * sizeof(s), &table) ||
		h.e_shstrndx >= h.e_shnum)
		return bad(err, "its sections lie outside of the file");
	s = entry(table, h.e_shstrndx);
	if (!slice(file, s.sh_offset, s.sh_size, &names))
		return bad(err, "the names of its sections lie outside of the file");
	for (size_t i = 0; i < h.e_shnum; i++) {
		s = entry(table, i);
		if (!named(names, s.sh_name, name))
			continue;
		if (s.sh_type == SHT_NOBITS || !slice(file, s.sh_offset, s.sh_size, ret))
			return bad(err, "a section lies outside of the file");
		return 0;
	}
	return error_set(err, -ENOENT, "ELF: there is no section %s", name);
}
