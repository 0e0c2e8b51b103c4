// Implementation of curl_transfer.h. Uses libcurl; every handle belongs to an object.
#include "engine/fetch/curl_transfer.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string_view>

#include "blindspot/error.h"
#include "blindspot/model.h"

namespace blindspot::fetch {

namespace {

constexpr long most_redirects = 10;
constexpr long piece_bytes = 1L << 18;

/// libcurl counts who uses it, so each request may hold it for itself.
class Library {
 public:
  Library() {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw Error(ErrorKind::fault, "libcurl cannot be used");
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() { curl_global_cleanup(); }
};

struct CloseEasy {
  void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
};
struct FreeList {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};

class HeaderList {
 public:
  void add(const std::string& line) {
    // Appending returns the head, which is the same but for the first time.
    curl_slist* const head = curl_slist_append(list_.get(), line.c_str());
    if (head == nullptr) throw std::bad_alloc();
    static_cast<void>(list_.release());
    list_.reset(head);
  }
  curl_slist* get() const { return list_.get(); }

 private:
  std::unique_ptr<curl_slist, FreeList> list_;
};

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool same_name(std::string_view name, std::string_view lower_case) {
  return std::equal(name.begin(), name.end(), lower_case.begin(), lower_case.end(), [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == static_cast<unsigned char>(b);
  });
}

std::string sha256_of_etag(std::string_view value) {
  if (value.starts_with("W/")) value.remove_prefix(2);
  if (value.size() != 66 || value.front() != '"' || value.back() != '"') return "";
  value = value.substr(1, 64);
  const bool hexadecimal =
      std::all_of(value.begin(), value.end(), [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; });
  if (!hexadecimal) return "";
  std::string digits(value);
  for (char& digit : digits) digit = static_cast<char>(std::tolower(static_cast<unsigned char>(digit)));
  return digits;
}

/// Control characters of a host's answer must not reach a terminal; one line is one line.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  return text;
}

/// The head of the answer that is being read; a redirect's or a proxy's is replaced by the next one's.
class HeadReader {
 public:
  void line(std::string_view line) {
    if (line.starts_with("HTTP/")) {
      const std::size_t blank = line.find(' ');
      // An interim answer (103) comes before the first one that counts.
      const bool interim = blank != std::string_view::npos && line.substr(blank + 1).starts_with('1');
      start(interim);
      return;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (same_name(name, "etag")) {
      if (value.starts_with('"')) etag_ = value;
    } else if (same_name(name, "last-modified")) {
      modified_ = value;
    } else if (same_name(name, "content-length")) {
      length_ = whole_number(value);
    } else if (same_name(name, "content-range")) {
      read_range(value);
    } else if (answers_ == 1 && same_name(name, "x-linked-etag")) {
      announced_ = sha256_of_etag(value);
    }
  }

  TransferHead head(long status) const {
    TransferHead head;
    head.status = status;
    head.begin = status == 206 ? range_begin_.value_or(0) : 0;
    head.total = status == 206 ? range_total_ : length_;
    head.validator = etag_.empty() ? modified_ : etag_;
    head.announced_sha256 = announced_;
    return head;
  }
  /// A partial answer without a range that can be read may be any part.
  bool tells_range() const { return range_begin_.has_value(); }

 private:
  void start(bool interim) {
    if (!interim) ++answers_;
    etag_.clear();
    modified_.clear();
    length_.reset();
    range_begin_.reset();
    range_total_.reset();
  }
  /// bytes FIRST-LAST/TOTAL; TOTAL may be *.
  void read_range(std::string_view value) {
    if (!value.starts_with("bytes ")) return;
    value.remove_prefix(6);
    const std::size_t dash = value.find('-');
    const std::size_t slash = value.find('/');
    if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) return;
    range_begin_ = whole_number(value.substr(0, dash));
    range_total_ = whole_number(value.substr(slash + 1));
  }

  int answers_ = 0;
  std::string etag_, modified_, announced_;
  std::optional<std::uint64_t> length_, range_begin_, range_total_;
};

/// Thrown for an answer that is of no use; stays within this file.
struct UnusableAnswer {
  std::string reason;
  bool again;
};

class Transfer {
 public:
  Transfer(const TransferRequest& request, const TransferHandlers& handlers)
      : request_(request), handlers_(handlers), handle_(curl_easy_init()) {
    if (!handle_) throw Error(ErrorKind::fault, "libcurl gives no handle");
    set_up();
  }

  TransferResult run() {
    const CURLcode code = curl_easy_perform(handle_.get());
    // Of an answer without bytes the head was not looked at yet.
    if (code == CURLE_OK) guarded([this] { announce_head(); });
    if (thrown_) std::rethrow_exception(thrown_);
    if (unusable_) {
      return {unusable_->again ? TransferResult::Kind::cut_off : TransferResult::Kind::refused, unusable_->reason};
    }
    return code == CURLE_OK ? TransferResult{} : failed(code);
  }

 private:
  using Clock = std::chrono::steady_clock;

  template <typename Value>
  void set(CURLoption option, Value value) {
    if (curl_easy_setopt(handle_.get(), option, value) != CURLE_OK) {
      throw Error(ErrorKind::fault, fmt::format("libcurl does not take its option {}", static_cast<int>(option)));
    }
  }

  void set_up() {
    set(CURLOPT_URL, request_.address.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, request_.address.starts_with("https:") ? "https" : "http,https");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, most_redirects);
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(CURLOPT_FAILONERROR, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_BUFFERSIZE, piece_bytes);
    set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(request_.stall.count()));
    const std::string agent = fmt::format("blindspot/{}", version());
    set(CURLOPT_USERAGENT, agent.c_str());
    set(CURLOPT_ERRORBUFFER, error_.data());
    set(CURLOPT_HEADERFUNCTION, &Transfer::take_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &Transfer::take_bytes);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &Transfer::wait);
    set(CURLOPT_XFERINFODATA, this);
    // As OpenSSL's own programs have it: a company's certificates, or a place for them that libcurl does not know.
    if (const char* const file = std::getenv("SSL_CERT_FILE"); file != nullptr && *file != '\0') {
      set(CURLOPT_CAINFO, file);
      set(CURLOPT_PROXY_CAINFO, file);
    }
    headers_.add("Accept-Encoding: identity");
    if (request_.offset != 0) {
      // CURLOPT_RESUME_FROM would call an answer with the whole file an error; here it is a new beginning.
      range_ = fmt::format("{}-", request_.offset);
      set(CURLOPT_RANGE, range_.c_str());
      if (!request_.validator.empty()) headers_.add("If-Range: " + request_.validator);
    }
    set(CURLOPT_HTTPHEADER, headers_.get());
  }

  /// No exception may cross libcurl: it is kept until the transfer has ended.
  template <typename Action>
  bool guarded(const Action& action) noexcept {
    try {
      action();
      return true;
    } catch (const UnusableAnswer& answer) {
      unusable_ = answer;
    } catch (...) {
      thrown_ = std::current_exception();
    }
    return false;
  }

  long status() const {
    long value = 0;
    curl_easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &value);
    return value;
  }

  std::string asked() const {
    const char* address = nullptr;
    curl_easy_getinfo(handle_.get(), CURLINFO_EFFECTIVE_URL, &address);
    return one_line(shown_address(address == nullptr ? request_.address : address));
  }

  void announce_head() {
    if (announced_) return;
    announced_ = true;
    const long code = status();
    if (code != 200 && code != 206) {
      throw UnusableAnswer{fmt::format("{} answers with status {}, which no file comes with", asked(), code), false};
    }
    if (code == 206 && (request_.offset == 0 || !reader_.tells_range())) {
      throw UnusableAnswer{fmt::format("{} answers with a part of the file that cannot be placed", asked()), false};
    }
    handlers_.head(reader_.head(code));
  }

  /// libcurl's own limit looks at a mean over some seconds, and so comes late.
  void check_stall() const {
    if (Clock::now() - last_bytes_ > request_.stall) throw UnusableAnswer{silence(), true};
  }
  std::string silence() const { return fmt::format("{} sent nothing for {} s", asked(), request_.stall.count()); }

  TransferResult failed(CURLcode code) const {
    using Kind = TransferResult::Kind;
    if (code == CURLE_HTTP_RETURNED_ERROR) {
      const long number = status();
      if (number == 416 && request_.offset != 0) return {Kind::beyond_end, ""};
      const bool passing = number >= 500 || number == 408 || number == 429;
      return {passing ? Kind::cut_off : Kind::refused, fmt::format("{} answers with status {}", asked(), number)};
    }
    if (code == CURLE_OPERATION_TIMEDOUT) return {Kind::cut_off, silence()};
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY) {
      return {Kind::refused, fmt::format("{}: {}; is there a network, or a proxy for https_proxy to name?", asked(),
                                         one_line(error_.data()))};
    }
    const std::string detail = one_line(error_[0] != '\0' ? error_.data() : curl_easy_strerror(code));
    constexpr std::array passing{CURLE_COULDNT_CONNECT, CURLE_PARTIAL_FILE, CURLE_GOT_NOTHING, CURLE_SEND_ERROR,
                                 CURLE_RECV_ERROR,      CURLE_HTTP2,        CURLE_HTTP2_STREAM};
    const bool again = std::find(passing.begin(), passing.end(), code) != passing.end();
    return {again ? Kind::cut_off : Kind::refused, fmt::format("{}: {}", asked(), detail)};
  }

  // libcurl calls these from curl_easy_perform; the last argument (the first of `wait`) is the Transfer.
  static std::size_t take_header(char* text, std::size_t size, std::size_t count, void* self) noexcept {
    const bool good = static_cast<Transfer*>(self)->guarded([&] {
      static_cast<Transfer*>(self)->reader_.line({text, size * count});
    });
    return good ? size * count : 0;
  }
  static std::size_t take_bytes(char* bytes, std::size_t size, std::size_t count, void* self) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    const bool good = transfer.guarded([&] {
      transfer.last_bytes_ = Clock::now();
      transfer.announce_head();
      transfer.handlers_.bytes(std::as_bytes(std::span(bytes, size * count)));
    });
    // Anything but the number of bytes ends the transfer.
    return good ? size * count : size * count + 1;
  }
  static int wait(void* self, curl_off_t /*to_come*/, curl_off_t /*come*/, curl_off_t /*to_go*/,
                  curl_off_t /*gone*/) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    const bool good = transfer.guarded([&] {
      stop_if(transfer.handlers_.cancelled);
      transfer.check_stall();
      if (transfer.handlers_.waiting) transfer.handlers_.waiting();
    });
    return good ? 0 : 1;
  }

  const TransferRequest& request_;
  const TransferHandlers& handlers_;
  Library library_;
  HeaderList headers_;
  std::string range_;
  std::array<char, CURL_ERROR_SIZE> error_{};
  HeadReader reader_;
  bool announced_ = false;
  Clock::time_point last_bytes_ = Clock::now();
  std::exception_ptr thrown_;
  std::optional<UnusableAnswer> unusable_;
  std::unique_ptr<CURL, CloseEasy> handle_;  // last: it is closed first, and uses the rest until then
};

}  // namespace

std::string shown_address(std::string address) {
  address = address.substr(0, address.find('?'));
  const std::size_t scheme = address.find("://");
  const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  // The last of several is the one before the host.
  const std::size_t at = address.substr(0, address.find('/', begin)).rfind('@');
  if (at != std::string::npos && at >= begin) address.erase(begin, at + 1 - begin);
  return address;
}

TransferResult transfer(const TransferRequest& request, const TransferHandlers& handlers) {
  return Transfer(request, handlers).run();
}

}  // namespace blindspot::fetch
