// SHA-256 for manifests and caches (integrity, not speed; see fnv1a in random.h for names).
// Source: FIPS 180-4, through OpenSSL's libcrypto.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace lathe {

class FileSystem;

/// Takes bytes in any pieces. Not to be shared between threads.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(std::string_view bytes);

  /// The 64 hexadecimal digits, lower case, of all bytes since construction; starts afresh.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256(std::string_view bytes);

/// Throws kNotFound or kIo with the path.
std::string sha256_file(const FileSystem& files, const std::string& path);

}  // namespace lathe
