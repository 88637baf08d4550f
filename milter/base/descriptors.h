/* SPDX-License-Identifier: BSD-2-Clause */
/* base/descriptors.h: the descriptors that a program is started with. */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

/* Occupies those of 0, 1 and 2 that are closed, so that no file or socket which is opened later gets one of these numbers
 * and with it what is meant for standard output or standard error: a warning would overwrite the table. Reading and
 * writing there still fails (EBADF). Call it first in main. */
void descriptors_occupy_standard(void);

#endif
