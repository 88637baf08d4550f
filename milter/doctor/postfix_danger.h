/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/postfix_danger.h: the symptoms of a Postfix that accepts what nobody delivers, relays for strangers, or still has
 * something of ours without our milter. Each is an "is" of struct symptom, and sets the facts that its row names. */
#ifndef DOCTOR_POSTFIX_DANGER_H
#define DOCTOR_POSTFIX_DANGER_H

#include "doctor/postfix_view.h"

/* OF_SERVICE: it asks a map of ours, and not the milter. */
bool danger_map_alone(struct exam *exam);

/* OF_SERVICE: a pipemap of its restrictions has lost its first map, and says OK to every recipient. */
bool danger_permits_all(struct exam *exam);

/* OF_SERVER: no service asks the milter, but something of ours is there. */
bool danger_left_behind(struct exam *exam);

/* OF_REPLY: a stranger may send to a domain that nobody serves. */
bool danger_relays(struct exam *exam);

#endif
