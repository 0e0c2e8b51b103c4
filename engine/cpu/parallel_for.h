// How loops of our own are spread over threads: contiguous parts on OpenMP, split the same way every time. Included by
// cpu_device_class.h.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

#include "engine/cpu/cpu_device_class.h"

namespace blindspot::cpu {

template <typename Body>
void CpuDevice::parallel_for(std::int64_t count, std::int64_t grain, const Body& body) const {
  if (rehearsing() || count <= 0) return;
  const std::int64_t parts = std::clamp<std::int64_t>(count / std::max<std::int64_t>(grain, 1), 1, threads_);
  if (parts == 1) {
    body(std::int64_t{0}, count);
    return;
  }
  // All threads of the device start, also where there are fewer parts: OpenMP keeps a team only while its size stays.
#pragma omp parallel num_threads(threads_)
  {
    // A team may be smaller than asked for (a nested region): its threads then take several parts each.
    for (std::int64_t part = omp_get_thread_num(); part < parts; part += omp_get_num_threads()) {
      body(count * part / parts, count * (part + 1) / parts);
    }
  }
}

}  // namespace blindspot::cpu
