/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/findings.h: what an examination has found, each thing once. */
#ifndef DOCTOR_FINDINGS_H
#define DOCTOR_FINDINGS_H

#include "doctor/symptom.h"

#include <stddef.h>

struct finding {
    const char *name; /* "soft-bounce" */
    enum weight weight;
    char *why, *mend;  /* on the heap; mend "" if there is nothing to do */
    size_t recipients; /* that show it */
    size_t others;     /* more domains or services of which the same is true */
};

/* Start with the facts alone; findings_free it. */
struct findings {
    const struct facts *facts; /* for the texts; borrowed */
    struct finding *of;
    size_t count;
};

/* Reports what was found, its texts filled in with the facts: once, and then as one more of which it is true. */
void findings_note(struct findings *findings, const char *name, enum weight weight, const char *why,
                   const char *mend);

/* Reports what explains the reply to one recipient. Returns its index; -1 if memory is out. */
int findings_explain(struct findings *findings, const struct symptom *symptom);

/* The gravest weight among them; NOTE if there are none. */
enum weight findings_worst(const struct findings *findings);

void findings_free(struct findings *findings);

#endif
