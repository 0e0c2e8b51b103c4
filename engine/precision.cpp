// Names of the precisions, as options and results spell them. May use the public interface only.
#include "blindspot/precision.h"

#include <fmt/format.h>

#include "blindspot/error.h"

namespace blindspot {

std::string to_string(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return "fp32";
    case Precision::tf32:
      return "tf32";
    case Precision::bf16:
      return "bf16";
    case Precision::fp16:
      return "fp16";
  }
  throw Error(ErrorKind::fault, "a precision without a name");
}

Precision precision_from(std::string_view text) {
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16}) {
    if (to_string(precision) == text) return precision;
  }
  throw Error(ErrorKind::usage, fmt::format("no precision \"{}\": choose fp32, tf32, bf16 or fp16", text));
}

}  // namespace blindspot
