import Foundation
import PlumbData

/// The tests of a stage as preference files, one for each task: `SUITE-TASK.test.jsonl.zst`.
///
/// With them `plumb evaluate --data` measures any preference model on the same pairs, whether it was
/// part of the run or not. Texts are written as they were made, before any model's `max_length` cuts
/// or drops them.
struct SuiteFiles {
  /// The name of each file and its pairs, in the order of the tasks.
  let files: [(name: String, pairs: [PreferencePair])]

  init(_ tests: [SuitePair]) {
    var files: [(name: String, pairs: [PreferencePair])] = []
    var places: [String: Int] = [:]
    var taken: Set<String> = []
    for test in tests {
      if let place = places[test.task] {
        files[place].pairs.append(test.pair)
        continue
      }
      let stem = "\(test.suite.rawValue)-\(Self.safe(test.task))"
      // Sources may differ in nothing but a character that no file name has.
      var unique = stem
      var number = 2
      while taken.contains(unique) {
        unique = "\(stem)-\(number)"
        number += 1
      }
      taken.insert(unique)
      places[test.task] = files.count
      files.append(("\(unique).test.jsonl.zst", [test.pair]))
    }
    self.files = files
  }

  /// Writes all files into a folder; an old file of the same name is replaced.
  func write(to folder: URL) throws {
    for file in files { try DataFile.write(file.pairs, to: folder.appending(path: file.name)) }
  }

  /// Letters, digits, `.`, `-` and `_` as they are, all else as `_`.
  private static func safe(_ task: String) -> String {
    String(
      task.map { character in
        let isKept =
          character.isASCII
          && (character.isLetter || character.isNumber || ".-_".contains(character))
        return isKept ? character : "_"
      })
  }
}
