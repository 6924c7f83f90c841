// SPDX-License-Identifier: Apache-2.0

/// Currency codes in use and their numbers (ISO 4217). The number names the currency's ledger.
enum ISO4217 {
  static func number(of code: String) -> UInt32? { numbers[code] }

  private static let numbers: [String: UInt32] = [
    "AED": 784, "ARS": 32, "AUD": 36, "BDT": 50, "BGN": 975, "BHD": 48, "BRL": 986, "CAD": 124,
    "CHF": 756, "CLP": 152, "CNY": 156, "COP": 170, "CRC": 188, "CZK": 203, "DKK": 208, "DZD": 12,
    "EGP": 818, "EUR": 978, "GBP": 826, "GEL": 981, "GHS": 936, "HKD": 344, "HUF": 348, "IDR": 360,
    "ILS": 376, "INR": 356, "ISK": 352, "JOD": 400, "JPY": 392, "KES": 404, "KRW": 410, "KWD": 414,
    "KZT": 398, "LKR": 144, "MAD": 504, "MXN": 484, "MYR": 458, "NGN": 566, "NOK": 578, "NZD": 554,
    "OMR": 512, "PEN": 604, "PHP": 608, "PKR": 586, "PLN": 985, "PYG": 600, "QAR": 634, "RON": 946,
    "RSD": 941, "RUB": 643, "SAR": 682, "SEK": 752, "SGD": 702, "THB": 764, "TND": 788, "TRY": 949,
    "TWD": 901, "TZS": 834, "UAH": 980, "UGX": 800, "USD": 840, "UYU": 858, "VND": 704, "XAF": 950,
    "XOF": 952, "ZAR": 710, "ZMW": 967,
    // For hosts that charge in no money: "no currency" (999) keeps the same arithmetic.
    "XXX": 999, "XTS": 963,
  ]
}
