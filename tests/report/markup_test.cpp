// Text that goes into a page stays text, and figures are the same drawing on paper and on the page.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tools/report/markup.h"

namespace blindspot::tools::report {
namespace {

TEST_CASE("markup in a name stays text") {
  CHECK(escaped("<script>alert(\"1\")</script>") == "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;");
  CHECK(escaped("a' onload='b & c") == "a&#39; onload=&#39;b &amp; c");
  CHECK(isolated("<b>") == "<bdi>&lt;b&gt;</bdi>");
}

TEST_CASE("what is no text is replaced, and what is stays") {
  const std::string mark = "\xEF\xBF\xBD";
  CHECK(well_formed("Käse 猫 🐈") == "Käse 猫 🐈");
  CHECK(well_formed(std::string("a\0b\x1b[31m\x7f", 9)) == "a" + mark + "b" + mark + "[31m" + mark);
  CHECK(well_formed("\xC2\x85") == mark);                               // a control of U+0080 to U+009F
  CHECK(well_formed("\xFF\xC0\xAF") == mark + mark + mark);             // never in UTF-8; an overlong slash
  CHECK(well_formed("\xED\xA0\x80") == mark + mark + mark);             // a surrogate
  CHECK(well_formed("\xF4\x90\x80\x80") == mark + mark + mark + mark);  // beyond U+10FFFF
  CHECK(well_formed("x\xE7\x8C") == "x" + mark + mark);                 // cut off
}

TEST_CASE("base64 and hashes are the usual ones") {
  const auto encoded = [](const std::string& text) {
    return base64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  };
  CHECK(encoded("") == "");
  CHECK(encoded("f") == "Zg==");
  CHECK(encoded("fo") == "Zm8=");
  CHECK(encoded("foobar") == "Zm9vYmFy");
  CHECK(policy_hash("abc") == "'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='");
}

TEST_CASE("numbers that are none are a dash") {
  CHECK(number(0.96642816, 4) == "0.9664");
  CHECK(number(1.0 / 0.0) == "–");
  CHECK(exact_number(0.1) == "0.1");
}

TEST_CASE("what rounds to nothing has no sign") {
  CHECK(number(-0.00004) == "0.0000");
  CHECK(number(-0.0) == "0.0000");
  CHECK(number(-0.4, 0) == "0");
  CHECK(number(-0.00006) == "−0.0001");
  CHECK(fixed(-0.0004, 3) == "0.000");
  CHECK(fixed(-0.0006, 3) == "-0.001");
  CHECK(fixed(-10, 0) == "-10");
}

}  // namespace
}  // namespace blindspot::tools::report
