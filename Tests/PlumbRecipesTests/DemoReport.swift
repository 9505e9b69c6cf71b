import Foundation
import PlumbRecipes

/// A report with every kind of block, with data that is hard to lay out.
enum DemoReport {
  /// From −0.5 to 0.5, the same at each call.
  static func noise(_ index: Int) -> Double {
    var bits = UInt64(truncatingIfNeeded: index) &* 0x9e37_79b9_7f4a_7c15
    bits = (bits ^ (bits >> 29)) &* 0xbf58_476d_1ce4_e5b9
    return Double((bits ^ (bits >> 32)) % 10_000) / 10_000 - 0.5
  }

  static var charts: [Chart] {
    let steps = Array(stride(from: 1.0, through: 400, by: 1))
    let training = [
      "preference-base", "reward-finetune (from the base)",
      "reward-finetune-plain, from the language model alone",
    ].enumerated().map { index, name in
      Chart.Series(
        name,
        steps.map { step in
          Chart.Point(
            step,
            0.693 * exp(-step / (150 + 80 * Double(index))) + 0.35 + 0.1
              * noise(Int(step) + index * 31))
        })
    }
    let curve = (0..<3).map { model in
      Chart.Series(
        ["PPO", "DPO", "GPO"][model],
        (0..<9).map { k in
          let kl = Double(k) * 1.4 + 0.2
          let y = (1.2 + 0.3 * Double(model)) * sqrt(kl) - 0.12 * kl
          return Chart.Point(kl, y, interval: (y - 0.2)...(y + 0.2))
        })
    }
    let scaling = [
      Chart.Series(
        "forum pairs",
        [1e3, 3e3, 1e4, 3e4, 1e5].map {
          Chart.Point(
            $0, 0.62 * pow($0 / 1e3, -0.04),
            interval: (0.60 * pow($0 / 1e3, -0.04))...(0.64 * pow($0 / 1e3, -0.04)))
        }),
      Chart.Series(
        "fit 0.62 n^-0.04", [1e3, 1e5].map { Chart.Point($0, 0.62 * pow($0 / 1e3, -0.04)) },
        dashed: true),
    ]
    let reliability = ["Bradley–Terry reward model", "general preference model"].enumerated().map {
      m, name in
      Chart.Series(
        name,
        (0..<10).map { bin in
          let p = (Double(bin) + 0.5) / 10
          let o = 0.5 + (p - 0.5) * (m == 0 ? 0.7 : 0.95)
          return Chart.Point(
            p, o, interval: max(0, o - 0.06)...min(1, o + 0.06), weight: Double(100 + 60 * bin))
        })
    }
    return [
      Chart(
        "Training loss of the preference models",
        caption: "Bradley–Terry loss per pair on the training batches.", x: .init("step"),
        y: .init("loss (nats per pair)"), .lines(training)),
      Chart(
        "KL–reward frontier", caption: "Bands are 95 % intervals over 512 prompts.",
        x: .init("KL from SFT (nats)"), y: .init("reward under the held-out judge"), .lines(curve)),
      Chart(
        "Validation loss over data", x: .init("training pairs", scale: .logarithmic),
        y: .init("loss (nats)", scale: .logarithmic), .lines(scaling)),
      Chart(
        "Win rate against SFT under the held-out judge",
        caption: "512 prompts; error bars: 95 % intervals.", y: .init("win rate", range: 0...1),
        .bars([
          .init("PPO", 0.642, interval: 0.60...0.684), .init("DPO", 0.581, interval: 0.538...0.624),
          .init("GPO", 0.667, interval: 0.626...0.708),
        ])),
      Chart(
        "Test accuracy", y: .init("accuracy"),
        .bars(
          ["preference-base", "reward-finetune", "general-preference"].flatMap { name in
            ["forum", "human preferences"].map {
              Chart.Bar(name, name.count % 3 == 0 ? 0.61 : 0.72, interval: 0.58...0.75, series: $0)
            }
          })),
      Chart(
        "Length and reward", x: .init("response length (tokens)"), y: .init("reward"),
        .scatter([
          .init(
            "PPO",
            (0..<120).map { Chart.Point(40 + 60 * (noise($0) + 0.5), 1.2 * noise($0 * 3) + 0.5) }),
          .init(
            "SFT",
            (0..<120).map {
              Chart.Point(30 + 50 * (noise($0 + 5) + 0.5), 1.2 * noise($0 * 7) - 0.4)
            }),
        ])),
      Chart(
        "Policies at a glance", x: .init("KL from SFT (nats)"),
        y: .init("win rate", range: 0.4...0.8),
        .scatter([
          .init("SFT", [.init(0, 0.5)]), .init("PPO", [.init(6.1, 0.64, interval: 0.6...0.68)]),
          .init("DPO", [.init(5.8, 0.63, interval: 0.59...0.67)]),
          .init("GPO", [.init(6.4, 0.667, interval: 0.63...0.7)]),
        ])),
      Chart(
        "Calibration on the test pairs", caption: "The area of a dot is its number of pairs.",
        x: .init("predicted probability"), y: .init("share that agrees"), .reliability(reliability)),
      Chart(
        "Who beats whom",
        caption: "Share of 512 prompts on which the held-out judge prefers the row.",
        x: .init("against"),
        .matrix(
          .init(
            names: ["SFT", "PPO", "DPO", "GPO"],
            shares: [
              [0.5, 0.358, 0.419, 0.333], [0.642, 0.5, 0.56, 0.47], [0.581, 0.44, 0.5, 0.41],
              [0.667, 0.53, 0.59, 0.5],
            ], halfWidths: Array(repeating: Array(repeating: 0.042, count: 4), count: 4)))),
      Chart(
        "Response length", x: .init("tokens"), y: .init("responses"),
        .histogram([
          .init(
            "SFT", of: (0..<500).map { 64 + 60 * (noise($0) + noise($0 * 3) + noise($0 * 5)) },
            bins: 24, range: 0...160),
          .init(
            "PPO", of: (0..<500).map { 84 + 60 * (noise($0) + noise($0 * 3 + 1) + noise($0 * 5)) },
            bins: 24, range: 0...160),
        ])),
      Chart(
        "Reward margin by very long category names", y: .init("margin (nats)"),
        .bars(
          (0..<8).map {
            .init(
              "category\($0)withaverylongname", noise($0 * 37) * 2,
              interval: (noise($0 * 37) * 2 - 0.3)...(noise($0 * 37) * 2 + 0.3))
          })),
      Chart(
        "Learning rate", x: .init("step"), y: .init("learning rate"),
        .lines([
          .init("", stride(from: 0.0, through: 70, by: 1).map { .init($0, 1e-5 * min($0 / 10, 1)) })
        ])),
    ]
  }

  static var report: Report {
    Report(
      title: "quickstart",
      lead:
        "From human preferences to a better policy on two processor cores: three optimisers from one SFT model, judged by a model that none of them saw.",
      facts: [
        .init("claims held", "2 of 3"), .init("stages", "9"), .init("time", "8 min 12 s"),
        .init("seed", "17"), .init("threads", "2"),
      ],
      sections: [
        ReportSection(
          "Claims",
          [
            .claims([
              Claim(
                "PPO beats SFT under the held-out judge (lower end of the 95 % interval)",
                measured: 0.6, .above, 0.5),
              Claim(
                "GPO beats SFT under the held-out judge (lower end of the 95 % interval)",
                measured: 0.626, .above, 0.5),
              Claim(
                "The base lowers the test loss of the reward model", measured: -0.003, .above, 0),
            ])
          ]),
        ReportSection("Plots", [.paragraph("All plots of the library."), .charts(charts)]),
        ReportSection(
          "Samples",
          [
            .samples([
              SampleRow(
                prompt: "How do I keep <b>basil</b> alive & well?",
                answers: ["SFT", "PPO", "DPO", "GPO"].map {
                  .init(
                    model: $0,
                    text:
                      "Water it when the soil feels dry, and keep it near a window.\nPinch off the flowers.",
                    note: "reward 1.24")
                })
            ])
          ]),
        ReportSection(
          "Tables",
          [
            .table(
              TextTable(
                title: "Preference models", columns: ["model", "accuracy", "NLL", "ECE", "pairs"],
                rows: [
                  ["preference-base", "0.612 [0.59, 0.63]", "0.651", "0.031", "2 048"],
                  ["reward-finetune", "0.702 [0.68, 0.72]", "0.571", "0.022", "2 048"],
                ])),
            .details(summary: "Recipe with all settings", text: "name: quickstart\nseed: 17"),
          ]),
      ])
  }
}
