/* mta/postfix/postfix_symptoms.h: what can be wrong with a Postfix. */
#ifndef MTA_POSTFIX_POSTFIX_SYMPTOMS_H
#define MTA_POSTFIX_POSTFIX_SYMPTOMS_H

#include "mta/symptom.h"

extern const struct symptom postfix_symptoms[]; /* their view is a struct postfix_view */

#endif
