import Foundation
import Synchronization

/// The largest differences that the tests of each equivalence class measure, for the table of
/// `Documentation/Equivalence.md`.
///
/// With `PLUMB_PRINT_EQUIVALENCE` in the environment a line is printed whenever a class differs by more than any
/// case of it did before, so that the last line of a class has its numbers; without it nothing is.
public enum EquivalenceLog {
  private static let found = Mutex<[String: (largest: Double, mean: Double)]>([:])
  private static let isOn =
    ProcessInfo.processInfo.environment["PLUMB_PRINT_EQUIVALENCE"] != nil

  /// Notes what one case measured.
  ///
  /// - Parameters:
  ///   - kind: the class, as the table names it.
  ///   - differences: the largest and the mean of the case, in the unit of the class's bound.
  ///   - what: the case.
  public static func note(
    _ kind: String, _ differences: (largest: Double, mean: Double), _ what: String
  ) {
    guard isOn else { return }
    if let line = line(kind, differences, what) { print(line) }
  }

  /// The line of a case that differs by more than those of its class before; nil for any other.
  public static func line(
    _ kind: String, _ differences: (largest: Double, mean: Double), _ what: String
  ) -> String? {
    found.withLock { found in
      let before = found[kind]
      if let before, differences.largest <= before.largest, differences.mean <= before.mean {
        return nil
      }
      let most = (
        largest: max(differences.largest, before?.largest ?? 0),
        mean: max(differences.mean, before?.mean ?? 0)
      )
      found[kind] = most
      return "equivalence: \(kind): largest \(most.largest), mean \(most.mean) (\(what))"
    }
  }
}
