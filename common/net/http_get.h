/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/base/buf.h"
#include "common/base/error.h"

/* GETs url, plain http, and waits up to ten seconds for the answer, on a loop of its own: for
 * commands. Appends what was answered to body, whose maximum bounds it, and returns the HTTP
 * status, good or bad. When no whole answer came: as struct http_result's code (-EIO: nobody is
 * there), with why. */
int http_get(const char *url, const char *user_agent, struct buf *body, struct error *err);
