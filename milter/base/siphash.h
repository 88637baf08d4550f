/* SPDX-License-Identifier: BSD-2-Clause */
/* base/siphash.h: SipHash-2-4, a keyed hash: without the key nobody finds two texts with one hash, or the text of a
 * hash. J.-P. Aumasson, D. J. Bernstein: SipHash: a fast short-input PRF (2012). */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint64_t key[2], const void *text, size_t length);

#endif
