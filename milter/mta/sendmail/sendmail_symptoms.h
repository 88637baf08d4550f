/* mta/sendmail/sendmail_symptoms.h: what can be wrong with a Sendmail. */
#ifndef MTA_SENDMAIL_SENDMAIL_SYMPTOMS_H
#define MTA_SENDMAIL_SENDMAIL_SYMPTOMS_H

#include "mta/symptom.h"

extern const struct symptom sendmail_symptoms[]; /* their view is a struct sendmail_view */

#endif
