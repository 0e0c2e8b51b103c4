// Pictures that blindspot draws itself: ten classes of shapes in 32×32 with colours, textures and noise, on which the
// built-in networks were trained. Part of the public interface; uses the standard library only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "blindspot/image.h"
#include "blindspot/visibility.h"

namespace BLINDSPOT_PUBLIC blindspot {

inline constexpr int drawn_picture_size = 32;

/// Names of the ten classes, in class order.
const std::vector<std::string>& drawn_class_names();

/// Picture `number` of class `label` (0 … 9) of the series `seed`: the same bits everywhere.
Picture draw_picture(int label, std::uint64_t number, std::uint64_t seed);

}  // namespace blindspot
