// From patches to a transformer's token stream: the class token in front, position embeddings added (Dosovitskiy et al.
// 2021, equation 1). May use device.h. The stream is float32 in every precision.
#pragma once

#include <span>

#include "engine/device.h"

namespace blindspot {

class TokenAssembly {
 public:
  /// `class_token` [D], `position` [1 + T, D].
  TokenAssembly(Device& device, std::span<const float> class_token, std::span<const float> position);

  /// patches [N, T, D] → float32 [N, 1 + T, D].
  Array forward(const Array& patches);
  /// dtokens float32 [N, 1 + T, D] → dpatches [N, T, D].
  Array input_gradient(const Array& dtokens);

 private:
  Device* device_;
  Array class_token_, position_;
};

}  // namespace blindspot
