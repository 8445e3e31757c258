/* SPDX-License-Identifier: Apache-2.0
 *
 * Start-up touches code that a daemon never runs again: relocation, library initialisers, parsers of
 * configuration and certificates. */
#pragma once

/* Lets the kernel take back the clean pages of programs and libraries, and the allocator's free
 * memory. What is needed again comes back from the page cache. Call once, when start-up is over. */
void settle_memory(void);
