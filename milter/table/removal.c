/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/removal.h"

bool removal_exceeds(size_t removed, size_t all, unsigned percent)
{
    return removed > REMOVAL_FEW && removed * 100 > all * percent;
}

unsigned removal_percent(size_t removed, size_t all)
{
    return all == 0 ? 0 : (unsigned)((removed * 100 + all - 1) / all);
}
