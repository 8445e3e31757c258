/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/trust/sources.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "webhook/collateral/pull.h"

/* Those that are URLs, and all that are text, by where they are. */
static const size_t texts[] = {
	offsetof(struct collateral_sources, pccs),
	offsetof(struct collateral_sources, pcs),
	offsetof(struct collateral_sources, root_crl),
	offsetof(struct collateral_sources, kds),
	offsetof(struct collateral_sources, update),
	offsetof(struct collateral_sources, ca_file),
	offsetof(struct collateral_sources, proxy),
	offsetof(struct collateral_sources, vcek_store),
};
static const char *const url_names[] = {"pccs", "pcs", "rootCrl", "kds"};

static const char **text(struct collateral_sources *s, size_t i)
{
	return (const char **)((char *)s + texts[i]);
}

static const char *text_of(const struct collateral_sources *s, size_t i)
{
	return *(const char *const *)((const char *)s + texts[i]);
}

bool collateral_sources_fetch(const struct collateral_sources *s)
{
	return *s->vcek_store || *s->pccs || *s->pcs || *s->kds;
}

static int check_urls(const struct collateral_sources *s, const char *prefix, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(url_names); i++) {
		const char *url = text_of(s, i);
		char name[80];
		int r;

		if (!*url)
			continue;
		snprintf(name, sizeof(name), "%s.collateralSource.%s", prefix, url_names[i]);
		r = pull_check_url(url, name, err);
		if (r < 0)
			return r;
		if (strncmp(url, "https:", 6) == 0 && !*s->ca_file)
			return error_set(err, -EINVAL,
				"%s is asked over https: name who vouches for it in "
				"%s.collateralSource.caFile",
				name, prefix);
	}
	return 0;
}

int collateral_sources_finish(struct collateral_sources *s, const char *prefix, struct error *err)
{
	if (*s->pccs && (*s->pcs || *s->root_crl))
		return error_set(err, -EINVAL,
			"%s.collateralSource: pccs stands in place of pcs and rootCrl; set the one "
			"or the others",
			prefix);
	if (*s->root_crl && !*s->pcs)
		return error_set(err, -EINVAL,
			"%s.collateralSource.rootCrl goes with pcs, which is not set", prefix);
	if (*s->pcs && !*s->root_crl)
		s->root_crl = PULL_ROOT_CRL;
	if (*s->update && strcmp(s->update, "early") != 0 && strcmp(s->update, "standard") != 0)
		return error_set(err, -EINVAL,
			"%s.collateralSource.update: \"%.40s\" is neither early nor standard",
			prefix, s->update);
	if (*s->proxy && strncmp(s->proxy, "http://", 7) != 0)
		return error_set(err, -EINVAL,
			"%s.collateralSource.proxy: \"%.140s\" is not http://…", prefix, s->proxy);
	return check_urls(s, prefix, err);
}

bool collateral_sources_same(const struct collateral_sources *a, const struct collateral_sources *b)
{
	bool same = a->paths.n == b->paths.n;

	for (size_t i = 0; same && i < a->paths.n; i++)
		same = strcmp(a->paths.v[i], b->paths.v[i]) == 0;
	for (size_t i = 0; same && i < ARRAY_SIZE(texts); i++)
		same = strcmp(text_of(a, i), text_of(b, i)) == 0;
	return same;
}

int collateral_sources_copy(
	struct collateral_sources *ret, const struct collateral_sources *s, struct arena *a)
{
	struct collateral_sources copy = *s;
	const char **paths = arena_array(a, const char *, s->paths.n ? s->paths.n : 1);
	bool ok = paths;

	for (size_t i = 0; ok && i < s->paths.n; i++) {
		paths[i] = arena_strdup(a, span_str(s->paths.v[i]));
		ok = paths[i];
	}
	for (size_t i = 0; ok && i < ARRAY_SIZE(texts); i++) {
		*text(&copy, i) = arena_strdup(a, span_str(text_of(s, i)));
		ok = *text(&copy, i);
	}
	if (!ok)
		return -ENOMEM;
	copy.paths.v = paths;
	*ret = copy;
	return 0;
}
