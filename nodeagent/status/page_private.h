/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the node page: its parts, and what they share. */
#pragma once

#include "nodeagent/status/status.h"

/* Whatever is not a literal. */
void page_text(struct buf *b, const char *s);
/* A state by its name ("NotConfigured" reads "Not configured"), coloured by what it means. */
void page_badge(struct buf *b, const char *state);

/* Sections; nothing when there is nothing to say. */
void page_epc(struct buf *b, const struct status *s);
void page_devices(struct buf *b, const struct status *s);
void page_pods(struct buf *b, const struct status *s);
void page_checks(struct buf *b, const struct platform *p);
