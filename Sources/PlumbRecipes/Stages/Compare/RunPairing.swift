/// Which runs of two methods play each other, and which chance they share.
///
/// Runs of one number play each other where there are as many of both: each pair is then one draw of both. Otherwise
/// every run plays every run of the other side, and a row shares its runs with others: six rows of three runs
/// against two are three draws of the one and two of the other, not six.
struct RunPairing {
  /// The policies of each row, own and other.
  let pairs: [(Int, Int)]
  /// What may be left out together: of each side the run of every row, [sides][rows].
  let sides: [[Int]]

  /// Pairs the policies of two methods.
  init(_ own: [Int], _ other: [Int]) {
    if own.count == other.count {
      pairs = Array(zip(own, other))
      sides = [own]
    } else {
      pairs = own.flatMap { a in other.map { (a, $0) } }
      sides = [pairs.map { $0.0 }, pairs.map { $0.1 }]
    }
  }
}
