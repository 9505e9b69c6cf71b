public import FoundationEssentials
import PlumbCheckpoints

extension DataFile {
  /// Writes rows as `messages, chosen, rejected`, atomically, compressed as the name says.
  public static func write(_ rows: [PreferencePair], to url: URL) throws { try lines(rows, url) }

  /// Writes rows as `messages`, atomically, compressed as the name says.
  public static func write(_ rows: [Demonstration], to url: URL) throws { try lines(rows, url) }

  /// Writes rows as `prompt, completion, label`, atomically, compressed as the name says.
  public static func write(_ rows: [UnpairedRow], to url: URL) throws { try lines(rows, url) }

  /// Writes rows as `prompt`, atomically, compressed as the name says.
  public static func write(_ rows: [PromptRow], to url: URL) throws { try lines(rows, url) }

  /// Writes rows as `text` or `messages`, atomically, compressed as the name says.
  public static func write(_ rows: [TextRow], to url: URL) throws { try lines(rows, url) }

  private static func lines(_ rows: [some JSONRepresentable], _ url: URL) throws {
    let writer = try LineWriter(to: url)
    for row in rows { try writer.write(row.json) }
    try writer.finish()
  }
}
