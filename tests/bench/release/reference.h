/* SPDX-License-Identifier: Apache-2.0
 *
 * The cryptography of a release and nothing else: what no broker could do without, in OpenSSL's
 * calls with everything prepared that can be. */
#pragma once

/* Microseconds of CPU time of this thread for the cryptography of each of n releases. */
double reference_usec(int n);
