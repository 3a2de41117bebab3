package kql

import (
	"math"
	"strconv"
	"strings"
)

// unitFunctions convert a number from one unit to another. The units and what
// they are called are those of the service, which has them of UnitsNet.
func unitFunctions() []*scalarFunction {
	convertBy := func(name, of, table string, example, want string) *scalarFunction {
		units := unitTable(table)
		return &scalarFunction{sig: name + "(value:real, from:string, to:string) real", doc: "A number of one unit of " + of + " as a number of another; null for a unit that is none.",
			examples: examples{example, want, name + "(1, 'Nonsense', 'Meter')", "null"},
			rows: func(a []Value) Value {
				from, ok1 := units[a[1].s]
				to, ok2 := units[a[2].s]
				if a[0].IsNull() || !ok1 || !ok2 {
					return Value{}
				}
				if from == to {
					return a[0]
				}
				return realValue(a[0].real() * from.top * to.bottom / (from.bottom * to.top))
			}}
	}
	return []*scalarFunction{
		{sig: "convert_angle(value:real, from:string, to:string) real", doc: "A number of one unit of angles as a number of another; null for a unit that is none.", rows: convertAngle,
			examples: examples{"round(convert_angle(180, 'Degree', 'Radian'), 6)", "3.141593", "convert_angle(1, 'Revolution', 'Degree')", "360", "convert_angle(1, 'Degree', 'Meter')", "null"}},
		convertBy("convert_energy", "energy", energyUnits, "convert_energy(2, 'KilowattHour', 'Joule')", "7200000"),
		convertBy("convert_force", "force", forceUnits, "convert_force(3, 'Kilonewton', 'Newton')", "3000"),
		convertBy("convert_length", "length", lengthUnits, "convert_length(1, 'Mile', 'Meter')", "1609.344"),
		convertBy("convert_mass", "mass", massUnits, "convert_mass(2, 'Tonne', 'Kilogram')", "2000"),
		convertBy("convert_speed", "speed", speedUnits, "convert_speed(1.2, 'MeterPerSecond', 'CentimeterPerHour')", "432000"),
		{sig: "convert_temperature(value:real, from:string, to:string) real", doc: "A number of one unit of temperature as a number of another; null for a unit that is none.", rows: convertTemperature,
			examples: examples{"convert_temperature(100, 'DegreeCelsius', 'DegreeFahrenheit')", "212", "convert_temperature(0, 'Kelvin', 'DegreeCelsius')", "-273.15", "convert_temperature(0, 'Kelvin', 'Meter')", "null"}},
		convertBy("convert_volume", "volume", volumeUnits, "round(convert_volume(1.2, 'CubicMeter', 'AcreFoot'), 12)", "0.0009728568"),
	}
}

// unit is how much of the base unit a unit is, as a quotient: a number that is
// written as one keeps its digits where it is divided last.
type unit struct{ top, bottom float64 }

// unitTable reads names with how much of the base unit each is, as a number or a
// quotient.
func unitTable(text string) map[string]unit {
	units := make(map[string]unit)
	fields := strings.Fields(text)
	for i := 0; i+1 < len(fields); i += 2 {
		u := unit{bottom: 1}
		top, bottom, isQuotient := strings.Cut(fields[i+1], "/")
		var err error
		if u.top, err = strconv.ParseFloat(top, 64); isQuotient && err == nil {
			u.bottom, err = strconv.ParseFloat(bottom, 64)
		}
		if err != nil || units[fields[i]].top != 0 {
			panic("kql: bad unit " + fields[i])
		}
		units[fields[i]] = u
	}
	return units
}

const (
	energyUnits = `
		Joule 1 Kilojoule 1e3 Megajoule 1e6 Gigajoule 1e9 Millijoule 1e-3 Calorie 4.184 Kilocalorie 4184 Megacalorie 4.184e6
		BritishThermalUnit 1055.05585262 KilobritishThermalUnit 1055055.85262 MegabritishThermalUnit 1055055852.62 GigabritishThermalUnit 1.05505585262e12
		DecathermEc 1.05505585262e9 DecathermImperial 1.05505585257348e9 DecathermUs 1.054804e9 ThermEc 1.05505585262e8 ThermImperial 1.05505585257348e8 ThermUs 1.054804e8
		ElectronVolt 1.602176565e-19 KiloelectronVolt 1.602176565e-16 MegaelectronVolt 1.602176565e-13 GigaelectronVolt 1.602176565e-10 TeraelectronVolt 1.602176565e-7
		Erg 1e-7 FootPound 1.355817948 HorsepowerHour 2.6845195377e6
		WattHour 3600 KilowattHour 3.6e6 MegawattHour 3.6e9 GigawattHour 3.6e12 TerawattHour 3.6e15
		WattDay 86400 KilowattDay 8.64e7 MegawattDay 8.64e10 GigawattDay 8.64e13 TerawattDay 8.64e16`
	forceUnits = `
		Newton 1 Decanewton 10 Kilonewton 1e3 Meganewton 1e6 Millinewton 1e-3 Micronewton 1e-6 Dyn 1e-5 KilogramForce 9.80665 KiloPond 9.80665
		PoundForce 4.4482216152605 KilopoundForce 4448.2216152605 OunceForce 0.27801385095378125 Poundal 0.138254954376 ShortTonForce 8896.443230521 TonneForce 9806.65`
	lengthUnits = `
		Meter 1 Angstrom 1e-10 AstronomicalUnit 1.4959787070e11 Centimeter 1e-2 Chain 20.1168 DataMile 1828.8 Decameter 10 Decimeter 1e-1 DtpPica 0.0254/6 DtpPoint 0.0254/72
		Fathom 1.8288 Foot 0.3048 Hand 0.1016 Hectometer 1e2 Inch 0.0254 Kilometer 1e3 LightYear 9.46073047258e15 KilolightYear 9.46073047258e18 MegalightYear 9.46073047258e21
		Parsec 3.08567758128e16 Kiloparsec 3.08567758128e19 Megaparsec 3.08567758128e22 Microinch 2.54e-8 Micrometer 1e-6 Mil 2.54e-5 Mile 1609.344 Millimeter 1e-3 Nanometer 1e-9
		NauticalMile 1852 PrinterPica 0.0254/6.02 PrinterPoint 0.0254/72.27 Shackle 27.432 SolarRadius 6.95510e8 Twip 0.0254/1440 UsSurveyFoot 1200/3937 Yard 0.9144`
	massUnits = `
		Gram 1 Centigram 1e-2 Decagram 10 Decigram 1e-1 Hectogram 1e2 Kilogram 1e3 Microgram 1e-6 Milligram 1e-3 Nanogram 1e-9 EarthMass 5.9722e27 SolarMass 1.98947e33 Grain 0.06479891
		Pound 453.59237 Kilopound 453592.37 Megapound 453592370 Ounce 28.349523125 Stone 6350.29318 Slug 14593.90 LongHundredweight 50802.34544 LongTon 1016046.9088
		ShortHundredweight 45359.237 ShortTon 907184.74 Tonne 1e6 Kilotonne 1e9 Megatonne 1e12`
	speedUnits = `
		MeterPerSecond 1 MeterPerMinute 1/60 MeterPerMinutes 1/60 MeterPerHour 1/3600 KilometerPerSecond 1e3 KilometerPerMinute 1000/60 KilometerPerMinutes 1000/60 KilometerPerHour 1000/3600
		CentimeterPerSecond 1e-2 CentimeterPerMinute 0.01/60 CentimeterPerMinutes 0.01/60 CentimeterPerHour 0.01/3600 DecimeterPerSecond 1e-1 DecimeterPerMinute 0.1/60 DecimeterPerMinutes 0.1/60
		MillimeterPerSecond 1e-3 MillimeterPerMinute 0.001/60 MillimeterPerMinutes 0.001/60 MillimeterPerHour 0.001/3600 MicrometerPerSecond 1e-6 MicrometerPerMinute 1e-6/60 MicrometerPerMinutes 1e-6/60 NanometerPerSecond 1e-9 NanometerPerMinute 1e-9/60 NanometerPerMinutes 1e-9/60
		FootPerSecond 0.3048 FootPerMinute 0.3048/60 FootPerHour 0.3048/3600 InchPerSecond 0.0254 InchPerMinute 0.0254/60 InchPerHour 0.0254/3600 Knot 1852/3600 MilePerHour 0.44704
		UsSurveyFootPerSecond 1200/3937 UsSurveyFootPerMinute 1200/236220 UsSurveyFootPerHour 1200/14173200 YardPerSecond 0.9144 YardPerMinute 0.9144/60 YardPerHour 0.9144/3600`
	volumeUnits = `
		CubicMeter 1 AcreFoot 1/0.000810714 AuTablespoon 2e-5 BoardFoot 2.359737216e-3 Centiliter 1e-5 CubicCentimeter 1e-6 CubicDecimeter 1e-3 CubicFoot 0.028316846592 CubicHectometer 1e6
		CubicInch 1.6387064e-5 CubicKilometer 1e9 CubicMicrometer 1e-18 CubicMile 4.168181825440579584e9 CubicMillimeter 1e-9 CubicYard 0.764554857984 Decaliter 1e-2 DecausGallon 0.03785411784 Deciliter 1e-4
		DeciusGallon 0.0003785411784 HectocubicFoot 2.8316846592 HectocubicMeter 100 Hectoliter 0.1 HectousGallon 0.3785411784 ImperialBeerBarrel 0.16365924 ImperialGallon 0.00454609 ImperialOunce 2.84130625e-5
		ImperialPint 5.6826125e-4 KilocubicFoot 28.316846592 KilocubicMeter 1e3 KiloimperialGallon 4.54609 Kiloliter 1 KilousGallon 3.785411784 Liter 1e-3 MegacubicFoot 28316.846592
		MegaimperialGallon 4546.09 Megaliter 1e3 MegausGallon 3785.411784 MetricCup 2.5e-4 MetricTeaspoon 5e-6 Microliter 1e-9 Milliliter 1e-6 OilBarrel 0.158987294928 UkTablespoon 1.5e-5
		UsBeerBarrel 0.117347765304 UsCustomaryCup 2.365882365e-4 UsGallon 3.785411784e-3 UsLegalCup 2.4e-4 UsOunce 2.95735295625e-5 UsPint 4.73176473e-4 UsQuart 9.46352946e-4
		UsTablespoon 1.478676478125e-5 UsTeaspoon 4.92892159375e-6`
)

// angleUnits are in degrees; Tilt is the sine.
var angleUnits = map[string]float64{
	"Degree": 1, "Arcminute": 1.0 / 60, "Arcsecond": 1.0 / 3600, "Gradian": 0.9, "Revolution": 360, "NatoMil": 9.0 / 160,
	"Microdegree": 1e-6, "Millidegree": 1e-3, "Nanodegree": 1e-9,
	"Radian": 180 / math.Pi, "Centiradian": 1.8 / math.Pi, "Deciradian": 18 / math.Pi, "Microradian": 180e-6 / math.Pi,
	"Milliradian": 180e-3 / math.Pi, "Nanoradian": 180e-9 / math.Pi,
}

func convertAngle(a []Value) Value {
	from, to := a[1].s, a[2].s
	known := func(unit string) bool { return angleUnits[unit] != 0 || unit == "Tilt" }
	if a[0].IsNull() || !known(from) || !known(to) {
		return Value{}
	}
	x := a[0].real()
	if from == to {
		return a[0]
	}
	if from == "Tilt" {
		x = math.Asin(x) * 180 / math.Pi
	} else {
		x *= angleUnits[from]
	}
	if to == "Tilt" {
		return realValue(math.Sin(x * math.Pi / 180))
	}
	return realValue(x / angleUnits[to])
}

// temperatureUnits are a degree in kelvins, and the zero of the scale in kelvins.
var temperatureUnits = map[string][2]float64{
	"Kelvin": {1, 0}, "DegreeCelsius": {1, 273.15}, "MillidegreeCelsius": {1e-3, 273.15}, "DegreeDelisle": {-2.0 / 3, 373.15},
	"DegreeFahrenheit": {5.0 / 9, 459.67 * 5 / 9}, "DegreeNewton": {100.0 / 33, 273.15}, "DegreeRankine": {5.0 / 9, 0},
	"DegreeReaumur": {1.25, 273.15}, "DegreeRoemer": {40.0 / 21, 273.15 - 7.5*40/21}, "SolarTemperature": {5778, 0},
}

func convertTemperature(a []Value) Value {
	from, ok1 := temperatureUnits[a[1].s]
	to, ok2 := temperatureUnits[a[2].s]
	if a[0].IsNull() || !ok1 || !ok2 {
		return Value{}
	}
	if a[1].s == a[2].s {
		return a[0]
	}
	// Digits beyond what a real holds of the sums would be noise.
	x := (a[0].real()*from[0] + from[1] - to[1]) / to[0]
	return realValue(math.Round(x*1e10) / 1e10)
}
