//! Drawn values: floats by their bits, numbers, moments, text. `SADDLEBAG_SEED` draws others.

use super::{Column, client};

const ROUNDS: u64 = 400;

/// A sequence of numbers (splitmix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn digits(&mut self, most: u64) -> String {
        (0..=self.below(most)).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }

    fn number(&mut self, whole: u64, fraction: u64) -> String {
        let sign = if self.below(2) == 0 { "-" } else { "" };
        let zeros = "0".repeat(self.below(4) as usize);
        format!("{sign}{}.{}{zeros}", self.digits(whole), self.digits(fraction))
    }

    fn moment(&mut self) -> String {
        let (year, month, day) = (1 + self.below(4_000), 1 + self.below(12), 1 + self.below(28));
        let (hour, minute, second, micro) = (self.below(24), self.below(60), self.below(60), self.below(1_000_000));
        let bc = if self.below(4) == 0 { " BC" } else { "" };
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micro:06}{bc}")
    }

    fn text(&mut self, most: u64) -> String {
        let characters: Vec<char> = " \t\n\r\\'\"{},Nab.ä€😀\u{7f}\u{1}\u{301}".chars().collect();
        (0..self.below(most + 1)).map(|_| characters[self.below(characters.len() as u64) as usize]).collect()
    }

    fn literal(&mut self, of: &str) -> String {
        match of {
            "real" => float_text(f64::from(f32::from_bits(self.next() as u32))),
            "double precision" => float_text(f64::from_bits(self.next())),
            "numeric" => self.number(30, 30),
            "numeric(30,10)" => self.number(18, 14),
            "text" => self.text(30),
            "character varying(5)" | "character(5)" => self.text(5),
            "interval" => {
                let (months, days, seconds) = (self.below(100), self.below(100), self.number(7, 5));
                let sign = if self.below(2) == 0 { "-" } else { "" };
                format!("{sign}{months} mons {days} days {seconds} seconds")
            }
            _ => self.moment(),
        }
    }
}

fn float_text(number: f64) -> String {
    if number.is_finite() { format!("{number:?}") } else { "NaN".to_owned() }
}

#[test]
fn drawn_values_go_there_and_back() {
    let Some(mut client) = client("drawn_values_go_there_and_back") else { return };
    let seed = std::env::var("SADDLEBAG_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let types = [
        "real",
        "double precision",
        "numeric",
        "numeric(30,10)",
        "text",
        "character varying(5)",
        "character(5)",
        "timestamp",
        "timestamp(2)",
        "timestamp with time zone",
        "interval",
    ];
    for of in types {
        let mut draw = Draw(seed);
        let literals: Vec<String> = (0..ROUNDS).map(|_| draw.literal(of)).collect();
        let mut column = Column::new(client, of);
        column.write(&literals);
        column.there_and_back(&format!("{of}, seed {seed}"));
        client = column.client;
    }
}
