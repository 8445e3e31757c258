/* SPDX-License-Identifier: Apache-2.0
 *
 * The cryptography of a release and nothing else: what no broker could do without, in OpenSSL's
 * calls with everything prepared that can be. */
#pragma once

/* The cryptography of the request at this path, without that of TLS. For one thread. */
void reference_request(const char *path);

/* Microseconds of CPU time of this thread for the cryptography of each of n releases, with that of
 * their records of TLS. */
double reference_usec(int n);
