import Foundation
import PlumbCheckpoints

extension ForumPairsJob {
  /// Step 1: every input once, its posts into partitions.
  func read() throws {
    var spill = try PostSpill(
      in: work, partitionCount: state.partitionCount, lengths: state.spill)
    let total = inputSizes.contains(nil) ? nil : inputSizes.reduce(0) { $0 + ($1 ?? 0) }
    var start: Int?
    while state.input < inputs.count {
      let index = state.input
      let before = inputSizes[..<index].reduce(0) { $0 + ($1 ?? 0) }
      var report = state.reports.count > index ? state.reports[index] : nil
      var ordinal = state.ordinal
      var reader = ForumInputReader(inputs[index], options: options, report: report)
      try reader.read(from: state.offset) { post, space in
        try spill.add(post, space: space, ordinal: ordinal)
        ordinal += 1
      } pause: { reader, resume, consumed in
        let done = before + consumed
        start = start ?? done
        if let resume, isSaveDue {
          try spill.flush()
          (state.offset, state.ordinal, state.spill) = (resume, ordinal, spill.lengths)
          report = reader.report
          state.reports = state.reports.prefix(index) + [reader.report]
          try save()
        }
        try show(
          Progress(step: 1, done: done, total: total, start: start ?? 0, pairs: 0))
      }
      try spill.flush()
      state.reports = state.reports.prefix(index) + [reader.report]
      (state.input, state.offset, state.ordinal) = (index + 1, 0, ordinal)
      state.spill = spill.lengths
      if index + 1 < inputs.count { try save(isRegular: true) }
    }
    guard state.reports.contains(where: { $0.counts[.questions] + $0.counts[.answers] > 0 }) else {
      let rows = state.reports.reduce(0) { $0 + $1.counts[.rows] }
      let faults = state.reports.flatMap(\.examples).map(\.fault)
      throw DataError(
        .noUsableRows, file: inputs.map(\.url.path).joined(separator: ", "),
        "there is no question and no answer", expected: "posts of a forum",
        found: "\(rows) rows" + (faults.first.map { ", the first malformed one: \($0)" } ?? ""))
    }
    state.phase = .duplicates
    try save()
  }

  /// Step 2: which questions repeat an earlier one, as lists by partition.
  func findDuplicates() throws {
    let count = state.partitionCount
    let spill = try PostSpill(in: work, partitionCount: count, lengths: state.spill)
    var lists = try PartitionedFiles("duplicates", in: work, count: count, memory: 16 << 20)
    for partition in 0..<count where !options.keepsDuplicates {
      var keys = try spill.keys.records(partition, as: QuestionKey.self)
      keys.sort { ($0.hash, $0.ordinal) < ($1.hash, $1.ordinal) }
      for (earlier, later) in zip(keys, keys.dropFirst())
      where earlier.hash == later.hash
        && (earlier.space, earlier.thread) != (later.space, later.thread)
      {
        let target = PostSpill.partition(space: later.space, thread: later.thread, of: count)
        try lists.append(to: target) { buffer in
          withUnsafeBytes(of: later) { buffer.append(contentsOf: $0) }
        }
      }
    }
    try lists.flush()
    state.duplicateLengths = lists.lengths
    state.phase = .pairing
    try save()
    spill.keys.remove()
  }
}
