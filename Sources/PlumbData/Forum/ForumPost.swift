/// Bytes that live as long as the call that hands them over.
typealias ByteSpan = UnsafeBufferPointer<UInt8>

/// A question or an answer as a dump has it, the answers not yet beside their question.
///
/// Holds the texts as bytes in buffers of its own, which are reused from post to post.
struct ForumPost {
  /// How the text is written.
  enum Markup: UInt8 {
    case html = 0
    /// Markdown or plain text: taken as it is.
    case text = 1
  }

  /// True for an answer, false for a question.
  var isAnswer = false
  /// The question's key, of the post itself or of the one that it answers.
  var thread: UInt64 = 0
  /// The post's own key.
  var key: UInt64 = 0
  /// The key of the accepted answer, 0 if none.
  var acceptedKey: UInt64 = 0
  /// True for an answer that is marked as accepted itself.
  var isAccepted = false
  /// Votes for minus votes against.
  var score = 0
  /// Milliseconds since 1970, or ``ForumTime/unknown``.
  var time = ForumTime.unknown
  /// How `text` is written.
  var markup = Markup.html
  /// The post's name on its site.
  var id: [UInt8] = []
  /// The site, for sources whose posts name it; else empty.
  var site: [UInt8] = []
  /// The question in one line.
  var title: [UInt8] = []
  /// The post in full.
  var text: [UInt8] = []
  /// The licence, if the dump names it.
  var license: [UInt8] = []

  /// Empties the post, keeping its buffers.
  mutating func reset() {
    (isAnswer, isAccepted, score, time, markup) = (false, false, 0, ForumTime.unknown, .html)
    (thread, key, acceptedKey) = (0, 0, 0)
    id.removeAll(keepingCapacity: true)
    site.removeAll(keepingCapacity: true)
    title.removeAll(keepingCapacity: true)
    text.removeAll(keepingCapacity: true)
    license.removeAll(keepingCapacity: true)
  }
}

/// Times as the dumps write them.
enum ForumTime {
  /// No time, or one that could not be read.
  static let unknown = Int64.min

  /// Milliseconds since 1970 of `2008-07-31T21:42:52.667`, with or without fraction and `Z`.
  static func milliseconds(_ text: some Collection<UInt8>) -> Int64 {
    var numbers = [Int64](repeating: 0, count: 7)
    var digits = [Int](repeating: 0, count: 7)
    let separators = Array("--T::.".utf8)
    var field = 0
    for byte in text {
      if (0x30...0x39).contains(byte) {
        guard digits[field] < (field == 0 ? 4 : field == 6 ? 9 : 2) else { return unknown }
        // Fractions count to the millisecond.
        if field < 6 || digits[6] < 3 { numbers[field] = numbers[field] * 10 + Int64(byte) - 0x30 }
        digits[field] += 1
      } else if field < 6, byte == separators[field] || field == 2 && byte == 0x20 {
        field += 1
      } else if byte == UInt8(ascii: "Z"), field >= 4 {
        break
      } else {
        return unknown
      }
    }
    guard digits[0] == 4, digits[1] == 2, digits[2] == 2, (1...12).contains(numbers[1]),
      (1...31).contains(numbers[2]), numbers[3] < 24, numbers[4] < 60, numbers[5] < 61
    else { return unknown }
    for _ in min(digits[6], 3)..<3 { numbers[6] *= 10 }
    let seconds = ((days(numbers[0], numbers[1], numbers[2]) * 24 + numbers[3]) * 60 + numbers[4])
    return (seconds * 60 + numbers[5]) * 1000 + numbers[6]
  }

  /// `2008-07-31T21:42:52` of milliseconds since 1970.
  static func text(_ milliseconds: Int64) -> String {
    guard milliseconds != unknown else { return "" }
    let seconds = milliseconds.dividedFloor(by: 1000)
    let day = seconds.dividedFloor(by: 86_400)
    let rest = seconds - day * 86_400
    let (year, month, date) = civil(day)
    func padded(_ value: Int64, _ width: Int = 2) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    return "\(padded(year, 4))-\(padded(month))-\(padded(date))T"
      + "\(padded(rest / 3600)):\(padded(rest / 60 % 60)):\(padded(rest % 60))"
  }

  /// Days since 1970 in the Gregorian calendar, counted in years that begin in March.
  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let y = month <= 2 ? year - 1 : year
    let era = y.dividedFloor(by: 400)
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func civil(_ day: Int64) -> (Int64, Int64, Int64) {
    let z = day + 719_468
    let era = z.dividedFloor(by: 146_097)
    let dayOfEra = z - era * 146_097
    let year = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * year + year / 4 - year / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (year + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }
}

extension Int64 {
  fileprivate func dividedFloor(by divisor: Int64) -> Int64 {
    let quotient = self / divisor
    return self % divisor < 0 ? quotient - 1 : quotient
  }
}
