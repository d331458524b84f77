#include "lathe/base/hash.h"

#include <openssl/evp.h>

#include "lathe/base/error.h"
#include "lathe/base/files.h"

namespace lathe {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();

  State() {
    if (context == nullptr || EVP_DigestInit_ex(context, EVP_sha256(), nullptr) != 1) {
      EVP_MD_CTX_free(context);
      fail(ErrorCode::kInternal, "SHA-256: libcrypto does not offer it");
    }
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(std::string_view bytes) {
  LATHE_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
  return *this;
}

std::string Sha256::finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  LATHE_CHECK(EVP_DigestFinal_ex(state_->context, digest, &size) == 1);
  LATHE_CHECK(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::string sha256(std::string_view bytes) { return Sha256().update(bytes).finish(); }

std::string sha256_file(const FileSystem& files, const std::string& path) {
  return sha256(files.map(path, EmptyFile::allowed).bytes());
}

}  // namespace lathe
