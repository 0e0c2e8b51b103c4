// Text that goes into a page: whatever it holds, it stays text. Uses the standard library, fmt and OpenSSL's libcrypto.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace blindspot::tools::report {

/// Well-formed UTF-8 without control characters: what is none becomes U+FFFD.
std::string well_formed(std::string_view text);
/// For content and for attributes in double quotes of HTML and XML: & < > " ' become references, after
/// `well_formed`.
std::string escaped(std::string_view text);
/// The same inside an element that keeps its direction from spilling over (a file's name may turn the line around).
std::string isolated(std::string_view text);
/// A finite number with so many decimals; no minus before what rounds to 0.
std::string fixed(double value, int decimals);
/// "0.9664", with a true minus sign; "–" for NaN.
std::string number(double value, int decimals = 4);
/// Shortest text that reads back exactly; "–" for NaN.
std::string exact_number(double value);

std::string base64(std::span<const std::uint8_t> bytes);
/// "'sha256-…'" as a content security policy names a script or style by its text.
std::string policy_hash(std::string_view text);

}  // namespace blindspot::tools::report
