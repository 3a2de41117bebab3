package kql

import (
	"strings"
	"testing"
)

// unitsOfReference are the units that the reference lists for each function.
var unitsOfReference = map[string]string{
	"convert_angle": "Arcminute Arcsecond Centiradian Deciradian Degree Gradian Microdegree Microradian Millidegree Milliradian Nanodegree Nanoradian NatoMil Radian Revolution Tilt",
	"convert_energy": `BritishThermalUnit Calorie DecathermEc DecathermImperial DecathermUs ElectronVolt Erg FootPound GigabritishThermalUnit GigaelectronVolt Gigajoule GigawattDay
		GigawattHour HorsepowerHour Joule KilobritishThermalUnit Kilocalorie KiloelectronVolt Kilojoule KilowattDay KilowattHour MegabritishThermalUnit Megacalorie MegaelectronVolt
		Megajoule MegawattDay MegawattHour Millijoule TeraelectronVolt TerawattDay TerawattHour ThermEc ThermImperial ThermUs WattDay WattHour`,
	"convert_force": "Decanewton Dyn KilogramForce Kilonewton KiloPond KilopoundForce Meganewton Micronewton Millinewton Newton OunceForce Poundal PoundForce ShortTonForce TonneForce",
	"convert_length": `Angstrom AstronomicalUnit Centimeter Chain DataMile Decameter Decimeter DtpPica DtpPoint Fathom Foot Hand Hectometer Inch KilolightYear Kilometer Kiloparsec
		LightYear MegalightYear Megaparsec Meter Microinch Micrometer Mil Mile Millimeter Nanometer NauticalMile Parsec PrinterPica PrinterPoint Shackle SolarRadius Twip UsSurveyFoot Yard`,
	"convert_mass": `Centigram Decagram Decigram EarthMass Grain Gram Hectogram Kilogram Kilopound Kilotonne LongHundredweight LongTon Megapound Megatonne Microgram Milligram
		Nanogram Ounce Pound ShortHundredweight ShortTon Slug SolarMass Stone Tonne`,
	"convert_speed": `CentimeterPerHour CentimeterPerMinute CentimeterPerSecond DecimeterPerMinute DecimeterPerSecond FootPerHour FootPerMinute FootPerSecond InchPerHour InchPerMinute
		InchPerSecond KilometerPerHour KilometerPerMinute KilometerPerSecond Knot MeterPerHour MeterPerMinute MeterPerSecond MicrometerPerMinute MicrometerPerSecond MilePerHour
		MillimeterPerHour MillimeterPerMinute MillimeterPerSecond NanometerPerMinute NanometerPerSecond UsSurveyFootPerHour UsSurveyFootPerMinute UsSurveyFootPerSecond YardPerHour
		YardPerMinute YardPerSecond`,
	"convert_temperature": "DegreeCelsius DegreeDelisle DegreeFahrenheit DegreeNewton DegreeRankine DegreeReaumur DegreeRoemer Kelvin MillidegreeCelsius SolarTemperature",
	"convert_volume": `AcreFoot AuTablespoon BoardFoot Centiliter CubicCentimeter CubicDecimeter CubicFoot CubicHectometer CubicInch CubicKilometer CubicMeter CubicMicrometer CubicMile
		CubicMillimeter CubicYard Decaliter DecausGallon Deciliter DeciusGallon HectocubicFoot HectocubicMeter Hectoliter HectousGallon ImperialBeerBarrel ImperialGallon ImperialOunce
		ImperialPint KilocubicFoot KilocubicMeter KiloimperialGallon Kiloliter KilousGallon Liter MegacubicFoot MegaimperialGallon Megaliter MegausGallon MetricCup MetricTeaspoon
		Microliter Milliliter OilBarrel UkTablespoon UsBeerBarrel UsCustomaryCup UsGallon UsLegalCup UsOunce UsPint UsQuart UsTablespoon UsTeaspoon`,
}

func TestUnitsOfTheReference(t *testing.T) {
	t.Parallel()
	for _, fn := range unitFunctions() {
		name, _, _ := strings.Cut(fn.sig, "(")
		units := strings.Fields(unitsOfReference[name])
		if len(units) == 0 {
			t.Errorf("no units of %s() are listed", name)
		}
		for i, unit := range units {
			// There and back again, by way of the unit before it.
			other := units[(i+len(units)-1)%len(units)]
			there := fn.rows([]Value{realValue(0.5), stringValue(unit), stringValue(other)})
			back := fn.rows([]Value{there, stringValue(other), stringValue(unit)})
			if back.IsNull() || back.real() < 0.49999 || back.real() > 0.50001 {
				t.Errorf("%s(0.5, %q, %q) is %v, and back %v", name, unit, other, there, back)
			}
		}
	}
}
