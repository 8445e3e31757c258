/* SPDX-License-Identifier: Apache-2.0
 *
 * The node page's style sheet, and its SHA-256 in base64 for the page's Content-Security-Policy,
 * which lets in this one and nothing else (the unit test compares them). */
#pragma once

extern const char page_style[];
extern const char page_style_hash[];
